"""Says of each line of a file (a plant map) whether the schema accepts it: "yes", or "no: the first fault".

usage: map_schema.py SCHEMA FILE
"""
import json
import sys

import jsonschema

with open(sys.argv[1], encoding="utf-8") as file:
    schema = json.load(file)
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
with open(sys.argv[2], encoding="utf-8") as file:
    for line in file:
        fault = next(validator.iter_errors(json.loads(line)), None)
        print("yes" if fault is None else f"no: {'.'.join(map(str, fault.absolute_path))}: {fault.message[:100]!r}")
