"""Parses the examples of the documents with the Pydantic models that datamodel-code-generator generated. Exits with 1 if one is rejected."""

import importlib
import json
import pathlib
import sys

import pydantic

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER / "generated"))


def main():
    parsed, problems = 0, []
    for version in ("v1", "v2"):
        document = json.loads((FOLDER / f"../../openapi/{version}.json").read_text(encoding="utf-8"))
        models = importlib.import_module(f"pydantic_{version}")
        for name, schema in document["components"]["schemas"].items():
            if "example" not in schema or not schema.get("properties"):
                continue
            model = getattr(models, name)
            parsed += 1
            try:
                model.model_validate(schema["example"])
            except pydantic.ValidationError as error:
                problems.append(f"{version} {name}: {error}")
            if schema.get("required"):
                try:
                    model.model_validate({})
                    problems.append(f"{version} {name}: accepts an object without its required fields")
                except pydantic.ValidationError:
                    pass
    if parsed < 60:
        problems.append(f"only {parsed} examples were parsed")
    print(f"{'FAILED' if problems else 'ok    '} models of datamodel-code-generator: {parsed} examples")
    for problem in problems:
        print(f"         {problem}")
    sys.exit(1 if problems else 0)


main()
