"""Codecs: what turns payloads into other bytes before they leave the process, such as encryption.

- `interface`: `Codec`, which users implement or take from here, and how an encoded payload is told
  from others.
- `messages`: finds the payloads of a message, and encodes or decodes all of them.
- `encryption`: `EncryptionCodec`, with the format of an encrypted payload.
- `keys`: `KeyProvider`, and `KeyFile`, a provider that reads keys from a file.

Clients and workers apply the codec where messages are sent and received. All code between sees plain
values only: the replay engine compares and checks what the program means, not ciphertext, which
differs each time the same value is encrypted.
"""
