"""Values: from a type hint to a shape, and from a shape to JSON bytes and back."""
