"""Code changes while 200 invocations run: pinned to their build, and patched."""
