"""What a program declares: workflows, virtual objects, retry policies; and how it is loaded.

- `workflow`, `objects`: what the decorators make of functions and classes; `declaration_checks`
  refuses what cannot be declared.
- `versioning`: which workers go on with an invocation when the code changes.
- `retry`: the retry policy, and the classification of an error by it.
- `callables`, `call_checks`: the functions of steps, and wrong calls of steps and workflows.
- `loading`: finds the workflows of a module, for `durable worker`.
"""
