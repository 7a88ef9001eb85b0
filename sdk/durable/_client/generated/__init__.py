"""Made by `make gen`; nothing here is edited by hand."""
