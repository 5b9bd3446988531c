"""Workbooks: their cells by calamine, and what that leaves out, by the bytes of each format.

`behind_cells` is what a format's module gives (links, formulas, what people see, merged ranges); `calamine_rows` and
`cell_rows` put it into rows. `formulas` works out what a link formula leads to.
"""
