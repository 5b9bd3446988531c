"""The endings of spreadsheet files; apart from their readers, as whoever only lists files loads none of them."""

WORKBOOK_SUFFIXES = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
TEXT_SUFFIXES = (".csv", ".tsv", ".tab", ".txt")
SUFFIXES = (*WORKBOOK_SUFFIXES, *TEXT_SUFFIXES)
