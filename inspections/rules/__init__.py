"""The rules of inspections: pure functions on values, without Flask, database or clock."""
