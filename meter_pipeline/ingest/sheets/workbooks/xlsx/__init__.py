"""What the reader of xlsx workbooks leaves out or stumbles over, found in their XML.

`package` knows which part is which, `survey` looks once over a sheet's bytes and says what there is to find, `cells`
finds it, and `mending` writes a workbook anew that the reader does not take as it is.
"""
