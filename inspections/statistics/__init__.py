"""The statistics as a page, charts, tables and JSON: what is asked for, and how it is shown."""
