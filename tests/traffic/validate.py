"""Validates recorded requests and responses with openapi-core.

    validate.py FILE

FILE is the output of record.mjs. Exits with 1 if a response does not match its document, if a request that succeeded does not, or if too
few exchanges were recorded.
"""

import json
import pathlib
import sys
import urllib.parse

from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from werkzeug.datastructures import Headers, ImmutableMultiDict

ROOT = pathlib.Path(__file__).resolve().parents[2]
ORIGIN = "http://localhost"
# openapi-core reads only `application/json` by default.
CONFIG = Config(
    extra_media_type_deserializers={
        "application/problem+json": json.loads, "application/merge-patch+json": json.loads, "application/x-ndjson": bytes.decode,
    }
)


class Request:
    """A recorded request, in the protocol of openapi-core."""

    def __init__(self, record):
        url = urllib.parse.urlsplit(record["url"])
        self.host_url, self.path, self.method = ORIGIN, url.path, record["method"].lower()
        query = urllib.parse.parse_qsl(url.query, keep_blank_values=True)
        headers = Headers(record["request_headers"])
        self.parameters = RequestParameters(query=ImmutableMultiDict(query), header=headers)
        self.content_type = headers.get("Content-Type", "").split(";")[0]
        self.body = record["request_body"].encode() or None


class Response:
    """A recorded response, in the protocol of openapi-core."""

    def __init__(self, record):
        self.status_code, self.headers = record["status"], Headers(record["response_headers"])
        self.content_type = self.headers.get("Content-Type", "").split(";")[0]
        self.data = record["response_body"].encode()


def causes(error):
    """Returns the messages of an error and of the errors behind it."""
    found = []
    while error is not None:
        found.append(f"{type(error).__name__}: {error}")
        found += [each.message for each in getattr(error, "schema_errors", None) or ()]
        error = error.__cause__
    return "; ".join(found)


def check(document, record):
    """Returns the violations in a recorded exchange."""
    place = f"{record['method']} {record['url']}: {record['status']}"
    request, problems = Request(record), []
    # A request that the server rejects need not match the document.
    if record["status"] < 400:
        try:
            document.validate_request(request)
        except Exception as error:  # noqa: BLE001, each is reported
            problems.append(f"{place}: request: {causes(error)}")
    try:
        document.validate_response(request, Response(record))
    except Exception as error:  # noqa: BLE001, each is reported
        problems.append(f"{place}: response: {causes(error)}")
    return problems


def without_a_field(record):
    """Returns the exchange with a response whose first field is missing."""
    body = json.loads(record["response_body"])
    body.pop(next(iter(body)))
    return {**record, "response_body": json.dumps(body)}


def main():
    documents = {version: OpenAPI.from_file_path(str(ROOT / f"openapi/{version}.json"), config=CONFIG) for version in ("v1", "v2")}
    lines = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    problems = [problem for record in records for problem in check(documents[record["version"]], record)]
    requests = sum(record["status"] < 400 for record in records)
    if requests < 100:
        problems.append(f"only {requests} successful requests were recorded")
    # The check itself must report a violation.
    created = next(record for record in records if record["status"] == 201)
    if not check(documents[created["version"]], without_a_field(created)):
        problems.append("a response without a required field was not reported")
    print(f"{'FAILED' if problems else 'ok    '} openapi-core: {len(lines)} responses, {requests} requests")
    for problem in problems[:30]:
        print(f"         {problem[:1500]}")
    sys.exit(1 if problems else 0)


main()
