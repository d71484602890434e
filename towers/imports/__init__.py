"""Importing lists: every row checked, all or the good ones, the same list twice changes nothing.

Stands between the services and the doors: it uses both registers (towers, organisations). `running`
does the work in one transaction, the other modules are its steps; `batches` is what people do with
a list, `undoing` takes it back, `review` decides about probable duplicates.
"""
