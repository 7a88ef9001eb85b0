"""Which callables can be steps, whether they run in a thread, and the types of their results."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import time
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Generic, Self, TypeVar
from unittest.mock import AsyncMock, MagicMock, Mock, create_autospec

import pytest

from durable._common.values.hints import Unresolved
from durable._definitions.callables import described

if TYPE_CHECKING:
    from nowhere import Unknown

T = TypeVar("T")


@dataclass
class Order:
    id: str


@dataclass
class Other:
    id: str


def sync_order(order_id: str) -> Order:
    return Order(order_id)


async def async_order(order_id: str) -> Order:
    return Order(order_id)


def wraps_plainly(function: Callable[..., T]) -> Callable[..., T]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> T:
        return function(*args, **kwargs)

    return wrapper


def syncify(function: Callable[..., Coroutine[Any, Any, T]]) -> Callable[..., T]:
    @functools.wraps(function)
    def wrapper(*args: Any) -> T:
        return asyncio.run(function(*args))

    return wrapper


def asyncify(function: Callable[..., T]) -> Callable[..., Awaitable[T]]:
    @functools.wraps(function)
    async def wrapper(*args: Any) -> T:
        return await asyncio.to_thread(function, *args)

    return wrapper


class Service:
    def sync(self, order_id: str) -> Order:
        return Order(order_id)

    async def coroutine(self, order_id: str) -> Order:
        return Order(order_id)

    @classmethod
    async def of_class(cls) -> Order:
        return Order("class")

    @staticmethod
    def of_nothing() -> Order:
        return Order("static")

    part = functools.partialmethod(sync, "part")
    async_part = functools.partialmethod(coroutine, "part")

    @functools.singledispatchmethod
    def dispatched(self, it: object) -> Order:
        return Order(str(it))


class Callee:
    field: int

    def __call__(self) -> Order:
        return Order("called")


class AsyncCallee:
    async def __call__(self) -> Order:
        return Order("called")


class ClassDecorator:
    """A decorator as a class, which copies the function's attributes."""

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self._function = function

    def __call__(self, *args: Any) -> Any:
        return asyncio.run(self._function(*args))


class AnswersAll:
    """A proxy that has an attribute of every name."""

    def __getattr__(self, name: str) -> Any:
        return AnswersAll()

    def __call__(self) -> str:
        return "ok"


class Raises:
    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __call__(self) -> str:
        return "ok"


class Proxy:
    """Pretends to be its target, as proxies of wrapt do."""

    def __init__(self, target: Any, call: Callable[..., Any]) -> None:
        self._target, self._call = target, call

    @property
    def __class__(self) -> Any:
        return type(self._target)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)

    def __call__(self, *args: Any) -> Any:
        return self._call(*args)


class Singleton(type):
    async def __call__(cls) -> Order:  # type: ignore[override]
        return Order("one")


class MadeLater(metaclass=Singleton):
    pass


class Ready:
    def __await__(self) -> Iterator[Any]:
        yield


class Box(Generic[T]):
    def __init__(self, value: T) -> None:
        self.value = value


@functools.lru_cache
def cached(order_id: str) -> Order:
    return Order(order_id)


@functools.singledispatch
def dispatched(it: object) -> Order:
    return Order(str(it))


@types.coroutine
def old_coroutine() -> Iterator[Any]:
    yield


def promises() -> Awaitable[Order]:
    return async_order("promised")


def promises_coroutine() -> Coroutine[Any, Any, Order]:
    return async_order("promised")


def promises_future() -> asyncio.Future[Order]:
    return asyncio.ensure_future(async_order("promised"))


def promises_barely() -> Awaitable:  # type: ignore[type-arg]  # as people write it
    return async_order("promised")


def nothing() -> None:
    pass


def half_known(unknown: Unknown) -> Order:
    return Order(str(unknown))


def looping() -> Order:
    return Order("loop")


looping.__wrapped__ = looping  # type: ignore[attr-defined]

deep: Any = sync_order
for _ in range(50):
    deep = functools.partial(deep)


class Subpartial(functools.partial[T]):
    """A partial that functools does not flatten."""


nested: Any = async_order
for _ in range(50):
    nested = Subpartial(nested)

THREAD, LOOP = True, False
service = Service()


CASES: list[tuple[Any, Any, bool]] = [
    (sync_order, Order, THREAD),
    (async_order, Order, LOOP),
    (lambda: async_order("a"), Any, THREAD),
    (nothing, types.NoneType, THREAD),
    (half_known, Order, THREAD),
    # The function that is called decides, not the one that it wraps.
    (wraps_plainly(sync_order), Order, THREAD),
    (wraps_plainly(async_order), Order, THREAD),
    (syncify(async_order), Order, THREAD),
    (syncify(promises), Order, THREAD),  # type: ignore[arg-type]
    (asyncify(sync_order), Order, LOOP),
    (asyncify(syncify(async_order)), Order, LOOP),
    (syncify(asyncify(sync_order)), Order, THREAD),  # type: ignore[arg-type]
    (ClassDecorator(async_order), Order, THREAD),
    (contextlib.contextmanager(lambda: iter(())), Any, THREAD),
    # Methods, partials
    (service.sync, Order, THREAD),
    (service.coroutine, Order, LOOP),
    (service.of_class, Order, LOOP),
    (Service.of_nothing, Order, THREAD),
    (vars(Service)["of_nothing"], Order, THREAD),
    (service.part, Order, THREAD),
    (service.async_part, Order, LOOP),
    (functools.partial(async_order, "a"), Order, LOOP),
    (functools.partial(service.sync, "a"), Order, THREAD),
    (functools.partial(asyncio.to_thread, sync_order), Any, LOOP),
    (functools.partial(functools.partial(Callee())), Order, THREAD),
    (functools.partial(AsyncCallee()), Order, LOOP),
    (deep, Order, THREAD),
    (nested, Order, LOOP),
    # Objects that can be called
    (Callee(), Order, THREAD),
    (AsyncCallee(), Order, LOOP),
    (cached, Order, THREAD),
    (functools.lru_cache(async_order), Order, THREAD),
    (dispatched, Order, THREAD),
    (looping, Order, THREAD),
    # Classes
    (Order, Order, THREAD),
    (int, int, THREAD),
    (Ready, Any, THREAD),
    (list[int], list[int], THREAD),
    (Box[int], Box[int], THREAD),
    (MadeLater, Order, LOOP),
    # Builtins
    (time.time, Any, THREAD),
    (len, Any, THREAD),
    ("a".upper, Any, THREAD),
    (str.upper, Any, THREAD),
    # Declared to return an awaitable
    (promises, Order, LOOP),
    (promises_coroutine, Order, LOOP),
    (promises_future, Order, LOOP),
    (promises_barely, Any, LOOP),
    (old_coroutine, Iterator[Any], LOOP),
    # Objects that have every attribute
    (Mock(return_value="ok"), Any, THREAD),
    (MagicMock(), Any, THREAD),
    (AsyncMock(), Any, THREAD),
    (Mock(spec=async_order), Any, THREAD),
    (Mock(wraps=sync_order), Any, THREAD),
    (AnswersAll(), str, THREAD),
    (Raises(), str, THREAD),
    (functools.partial(AnswersAll()), str, THREAD),
    (Proxy(async_order, sync_order), Order, THREAD),
    (Proxy(functools.partial(async_order), sync_order), Any, THREAD),
]


@pytest.mark.parametrize("number", range(len(CASES)))  # pytest itself stumbles over some of them
def test_a_callable_is_described(number: int) -> None:
    function, hint, blocking = CASES[number]
    for _ in range(2):  # the second time it may be known
        assert described(function) == (hint, blocking)


def test_a_mock_with_a_specification_is_described_as_its_target() -> None:
    assert described(create_autospec(sync_order)).blocking


@pytest.mark.skipif(not hasattr(inspect, "markcoroutinefunction"), reason="from Python 3.12 on")
def test_a_function_that_is_marked_is_async_and_its_sync_wrapper_is_not() -> None:
    @inspect.markcoroutinefunction
    def marked(order_id: str) -> Order:
        raise NotImplementedError

    assert described(marked) == (Order, False)
    assert described(syncify(marked)) == (Order, True)  # type: ignore[arg-type]


def test_closures_of_one_factory_have_types_of_their_own() -> None:
    def made(kind: type[T]) -> Callable[[], T]:
        def make() -> kind:  # type: ignore[valid-type]  # named by the enclosing function
            return kind()

        return make

    def by_object(kind: Any) -> Callable[[], Any]:
        def make() -> Any:
            return kind

        make.__annotations__["return"] = list[kind]
        return make

    assert [described(made(it)).hint for it in (Order, Other, Order)] == [Order, Other, Order]
    assert [described(by_object(it)).hint for it in (Order, Other)] == [list[Order], list[Other]]


def test_decorated_functions_share_code_and_nothing_else() -> None:
    async def other() -> Other:
        return Other("a")

    def plain() -> int:
        return 1

    for decorate in (wraps_plainly, syncify, asyncify):
        hints = [described(decorate(it)).hint for it in (sync_order, other, plain)]  # type: ignore[operator]
        assert hints == [Order, Other, int]


def test_equal_code_of_two_modules_is_not_the_same() -> None:
    text = "from __future__ import annotations\ndef make() -> Made: return Made()\n"
    made = []
    for kind in (Order, Other):
        variables: dict[str, Any] = {"Made": kind}
        exec(compile(text, "same.py", "exec"), variables)
        made.append(variables["make"])
    assert made[0].__code__ == made[1].__code__
    assert [described(it).hint for it in made] == [Order, Other]


def test_a_local_class_that_the_function_uses_is_found() -> None:
    @dataclass
    class Local:
        id: str

    def make() -> list[Local]:
        return [Local("a")]

    assert described(make).hint == list[Local]


def test_a_decorators_own_annotation_counts() -> None:
    def listed(function: Callable[..., T]) -> Callable[..., list[T]]:
        @functools.wraps(function)
        def wrapper(*args: Any) -> list[T]:
            return [function(*args)]

        wrapper.__annotations__ = {"return": list[Order]}
        return wrapper

    assert described(listed(sync_order)).hint == list[Order]
    assert described(sync_order).hint is Order


U = TypeVar("U")
E = TypeVar("E", bound="Entity")


@dataclass
class Entity:
    id: str

    @classmethod
    def load(cls, entity_id: str) -> Self:
        return cls(entity_id)

    @classmethod
    async def load_all(cls) -> list[Self]:
        return [cls("1")]

    @classmethod
    def load_before_self(cls: type[E]) -> E:
        return cls("1")

    def copied(self: E) -> E:
        return self

    def described(self) -> Annotated[Self, "the same one"]:
        return self

    def renamed(self, name: str) -> Self:
        return type(self)(name)


@dataclass
class Parcel(Entity):
    pass


class Repository(Generic[T]):
    def get(self, key: str) -> T | None:
        return None


class Sorted(Repository[U], Generic[U, T]):
    def first(self) -> tuple[U, T]:
        raise NotImplementedError


class Orders(Sorted[Order, int]):
    pass


@pytest.mark.parametrize(
    ("method", "hint"),
    [
        (Entity.load, Entity),
        (Parcel.load, Parcel),
        (Parcel.load_all, list[Parcel]),
        (Parcel("1").renamed, Parcel),
        (Parcel.load_before_self, Parcel),
        (Parcel("1").copied, Parcel),
        (Parcel("1").described, Annotated[Parcel, "the same one"]),
        (functools.partial(Parcel.load, "1"), Parcel),
        (Orders().get, Order | None),
        (Orders().first, tuple[Order, int]),
        (Repository[Order]().get, Order | None),
        (Repository().get, T | None),  # type: ignore[valid-type,misc]  # nothing says what
    ],
    ids=repr,
)
def test_self_and_type_variables_are_those_of_the_object(method: Any, hint: Any) -> None:
    assert described(method).hint == hint


def test_a_name_that_cannot_be_found_stays_unresolved_until_the_type_is_needed() -> None:
    def unknown() -> Unknown:
        raise NotImplementedError

    for function in (unknown, functools.partial(unknown), wraps_plainly(unknown)):
        hint = described(function).hint
        assert isinstance(hint, Unresolved)
        assert str(hint) == "'Unknown' cannot be resolved: the name 'Unknown' is not defined"
    assert described(lambda: unknown()) == (Any, True)


async def _numbers() -> AsyncIterator[int]:
    yield 1


def _items() -> Iterator[int]:
    yield 1


class Generates:
    def __call__(self) -> Iterator[int]:
        yield 1


@pytest.mark.parametrize(
    "function", [_numbers, _items, functools.partial(_items), Generates()], ids=str
)
def test_a_generator_is_refused(function: Any) -> None:
    with pytest.raises(TypeError, match="generator function, and a step has one value"):
        described(function)


def test_a_partial_without_end_is_refused() -> None:
    loop: Any = functools.partial(sync_order)
    loop.__setstate__((loop, (), {}, {}))
    with pytest.raises(TypeError, match="layers of partial"):
        described(loop)
