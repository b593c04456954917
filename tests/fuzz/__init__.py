"""Every parser of bytes that others write, fed with anything (`make fuzz`: for long)."""
