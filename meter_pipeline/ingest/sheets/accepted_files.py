"""Which files are read as spreadsheets, and by which version of the reader; no reader is loaded to know that."""

READER_VERSION = "3"
"""Raised by hand with any change that gives different rows: every file that is still there is then read again."""
MAX_FILE_BYTES = 200_000_000
WORKBOOK_SUFFIXES = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
TEXT_SUFFIXES = (".csv", ".tsv", ".tab", ".txt")
SUFFIXES = (*WORKBOOK_SUFFIXES, *TEXT_SUFFIXES)
