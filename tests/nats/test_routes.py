"""The routes of a cluster: the list of peers, and what a server listens to and asks for."""

from __future__ import annotations

import pytest

from durable_server.nats.routes import Routes, parse_peers


def test_peers() -> None:
    assert parse_peers("a=10.0.0.1:6222, b=b.example.com:1,c-1=[fd00::1]:65535") == {
        "a": "10.0.0.1:6222",
        "b": "b.example.com:1",
        "c-1": "[fd00::1]:65535",
    }
    assert parse_peers("a=localhost:6222") == {"a": "localhost:6222"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a", "'a' is not NAME=HOST:PORT, as in a=10"),
        ("a=10.0.0.1", "'a=10.0.0.1' is not NAME=HOST:PORT"),
        ("a=10.0.0.1:6222,", "'' is not NAME=HOST:PORT"),
        ("a=nats://x:1", "is not NAME=HOST:PORT"),
        ("=x:1", "letters, digits, - or _, not ''"),
        ("a b=x:1", "not 'a b'"),
        ("a=x:0", "the port of a must be a whole number from 1 to 65535, not '0'"),
        ("a=x:65536", "not '65536'"),
        ("a=x:1,b=x:2,a=x:3", "the node a is there twice"),
        ("a=x:1,b=x:1,c=x:3", "the address x:1 is there twice"),
        ("a=x:1,b=x:2", "2 nodes are no cluster: name 1, 3 or 5"),
        ("a=x:1,b=x:2,c=x:3,d=x:4", "4 nodes are no cluster"),
    ],
)
def test_a_wrong_list_is_one_line_that_names_the_part(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r"^.*$") as caught:
        parse_peers(text)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("peers", "listen"),
    [
        ("a=127.0.0.1:6222,b=127.0.0.1:6223,c=127.0.0.1:6224", "127.0.0.1:6222"),
        ("a=localhost:6222,b=localhost:6223,c=localhost:6224", "127.0.0.1:6222"),
        ("a=10.0.0.1:6222,b=10.0.0.2:6222,c=10.0.0.3:6222", "10.0.0.1:6222"),
        ("a=[fd00::1]:6222,b=[fd00::2]:6222,c=[fd00::3]:6222", "[fd00::1]:6222"),
        ("a=a.example.com:6222,b=b.example.com:6222,c=c.example.com:6222", "0.0.0.0:6222"),
    ],
)
def test_where_a_server_listens(peers: str, listen: str) -> None:
    routes = Routes("green", "a", parse_peers(peers), "a secret that is long")
    assert f'listen: "{listen}"' in routes.config()


def test_the_secret_itself_is_in_no_configuration() -> None:
    peers = parse_peers("a=127.0.0.1:1,b=127.0.0.1:2,c=127.0.0.1:3")
    one, other = (Routes("green", it, peers, "a secret that is long") for it in "ab")
    assert "a secret" not in one.config() + repr(one)
    assert one.config().split("routes")[1] == other.config().split("routes")[1]
    assert one.config() != Routes("green", "a", peers, "another secret").config()
    assert "authorization" not in Routes("green", "a", peers).config()
