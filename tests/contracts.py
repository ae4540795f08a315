"""Cases of the shared contracts that test files bring along for what they test."""

import importlib.util


def contracts_of(folder):
    """The `CONTRACT` tables of a folder's test files, in one dict."""
    cases = {}
    for path in sorted(folder.glob("test_*.py")):
        if "\nCONTRACT = " in path.read_text():
            spec = importlib.util.spec_from_file_location(f"contract_of_{path.stem}", path)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            cases |= module.CONTRACT
    return cases
