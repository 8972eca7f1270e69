"""Streaming reader of .xlsx workbooks (ECMA-376): the package, its XML, shared strings, number formats, one sheet."""
