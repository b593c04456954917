"""What explaining wants to know: one more trip per machine, and a cache of what never changes."""
