"""Hooks for Schemathesis: authentication and existing ids.

No operation and no response is excluded. Three of four valid (`positive`) cases get an existing id or a valid token instead of the generated
one. Stateful cases get theirs from links, and invalid cases are not changed. Operations that end a session or delete an account get a
separate account.
"""

import collections
import itertools
import json
import os
import pathlib
import re
import threading
import time
import urllib.error
import urllib.request

import schemathesis

BASE = os.environ["BASE_URL"]
PASSWORD = "harbour-lantern-42"
ADMIN = {"email": "admin@example.com", "password": "bucketlist-admin"}
DEMO = {"email": "demo@example.com", "password": "bucketlist-demo"}

# Operations that end the session of the caller or delete its account.
ENDS_SESSION = {"logout", "changePassword", "deleteAccount", "deleteMe", "updateMe", "endSessions", "endSession"}

_numbers = itertools.count(1)
# The number of valid cases of each operation in each phase, so that the first ones of every phase use existing resources.
_cases = collections.defaultdict(lambda: itertools.count(1))
# Email addresses that `register` was called with.
_taken = set()
_lock = threading.Lock()


def ask(method, path, token=None, body=None, headers=()):
    """Sends a request to v2 and returns the response body."""
    headers = {"Content-Type": "application/json", **dict(headers)}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{BASE}/v2{path}", content, headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as response:
        text = response.read()
    return json.loads(text) if text else None


def register():
    """Creates an account and returns its session."""
    email = f"fuzz-{next(_numbers)}-{os.getpid()}@example.com"
    return ask("POST", "/auth/register", body={"email": email, "password": PASSWORD, "name": "Fuzz"})


class Logins:
    """Shared sessions. A session that has ended is replaced."""

    def __init__(self):
        self.tokens = {}

    def get(self, credentials):
        key = credentials["email"]
        with _lock:
            token = self.tokens.get(key)
            if token is None or not self.works(token):
                token = ask("POST", "/auth/login", body=credentials)["access_token"]
                self.tokens[key] = token
            return token

    @staticmethod
    def works(token):
        try:
            ask("GET", "/users/me", token)
        except urllib.error.HTTPError:
            return False
        return True


logins = Logins()


def operation_id(case):
    return case.operation.definition.raw.get("operationId")


def is_for_admins(path):
    return path.startswith("/admin") or (path.startswith("/users") and not path.startswith("/users/me"))


@schemathesis.auth(cache_by_key=None, refresh_interval=None)
class Caller:
    """Logs in with the role that the operation requires."""

    def get(self, case, context):
        name = operation_id(case)
        if name in ENDS_SESSION:
            return register()["access_token"]
        return logins.get(ADMIN if is_for_admins(case.operation.path) else DEMO)

    def set(self, case, data, context):
        case.headers = case.headers or {}
        case.headers["Authorization"] = f"Bearer {data}"


def is_valid(case):
    return case.meta is not None and case.meta.generation.mode.value == "positive"


def is_stateful(case):
    return case.meta is not None and case.meta.phase.name.value == "stateful"


def create_list(token):
    """Creates a bucketlist with an item and returns their ids."""
    created = ask("POST", "/bucketlists", token, {"name": f"List {next(_numbers)}"})
    item = ask("POST", f"/bucketlists/{created['id']}/items", token, {"name": "An item"})
    return created["id"], item["id"]


def finished_export(token):
    """Creates an export, waits until it is finished and returns its id."""
    created = ask("POST", "/exports", token, {})
    for _ in range(100):
        if ask("GET", f"/exports/{created['id']}", token)["state"] == "finished":
            return created["id"]
        time.sleep(0.05)
    raise TimeoutError("the export was not finished")


def captured_incident():
    """Captures a request and returns the id of an incident, also if the captured one is not stored yet."""
    token = logins.get(ADMIN)
    ask("GET", "/users/me", token, headers={"X-Debug-Capture": "1"})
    for _ in range(100):
        if incidents := ask("GET", "/admin/incidents?per_page=1", token)["data"]:
            return incidents[0]["id"]
        time.sleep(0.05)
    raise TimeoutError("the incident was not stored")


def use_existing_ids(case):
    """Replaces ids in the path by existing ones."""
    wanted = case.path_parameters or {}
    if "export_id" in wanted:
        account = register()
        wanted["export_id"] = finished_export(account["access_token"])
        case.headers["Authorization"] = f"Bearer {account['access_token']}"
    if "bucketlist_id" in wanted:
        wanted["bucketlist_id"], item = create_list(logins.get(DEMO))
        if "item_id" in wanted:
            wanted["item_id"] = item
    if "incident_id" in wanted:
        wanted["incident_id"] = captured_incident()
    if "user_id" in wanted:
        # A separate account, which the operation may demote, disable or delete.
        wanted["user_id"] = register()["user"]["id"]
    if "session_id" in wanted:
        account = register()
        wanted["session_id"] = ask("GET", "/auth/sessions", account["access_token"])["data"][0]["id"]
        case.headers["Authorization"] = f"Bearer {account['access_token']}"


TOKEN = re.compile(r'"token": "([^"]+)"')
ENTITY_TAGS = re.compile(r'[ \t,]*(\*|(W/)?"[!#-~\x80-\xff]*"([ \t]*,[ \t,]*(W/)?"[!#-~\x80-\xff]*"){0,99})[ \t]*(,[ \t,]*)?')


def protect_seeded_accounts(case):
    """Protects the seeded accounts (1 and 2), which other cases log in with, from updates and deletion."""
    wanted = case.path_parameters or {}
    if operation_id(case) in ("updateUser", "deleteUser") and wanted.get("user_id") in (1, 2, "1", "2"):
        wanted["user_id"] = register()["user"]["id"]


def correct_values(case):
    """Corrects values in valid cases that a schema cannot express or the generator does not apply.

    A cursor is signed by the server, so a generated one is rejected. The generator does not apply the pattern of ETags in all phases.
    """
    for header in ("If-Match", "If-None-Match"):
        value = (case.headers or {}).get(header)
        if value is not None and not ENTITY_TAGS.fullmatch(value):
            case.headers[header] = '"aN0thEr5tate"'
    if (case.query or {}).get("cursor"):
        case.query["cursor"] = ""


def reset_token():
    """Requests a password reset and returns the token from the mail, which the server writes to its data directory."""
    email = register()["user"]["email"]
    ask("POST", "/auth/password-reset", body={"email": email})
    for _ in range(100):
        for mail in pathlib.Path(os.environ["SERVER_FOLDER"]).glob("mail/*"):
            text = mail.read_text(encoding="utf-8", errors="replace")
            if email in text and (found := TOKEN.search(text)):
                return found[1]
        time.sleep(0.05)
    raise TimeoutError("the mail with the token did not arrive")


@schemathesis.hook
def before_call(context, case, kwargs):
    """Uses existing resources in three of four valid cases."""
    protect_seeded_accounts(case)
    if not is_valid(case):
        return
    correct_values(case)
    name = operation_id(case)
    with _lock:
        number = next(_cases[name, case.meta.phase.name])
    if number % 4 == 0:
        return
    if not is_stateful(case):
        use_existing_ids(case)
    body = case.body if isinstance(case.body, dict) else None
    headers = case.headers or {}
    if "If-Match" in headers:
        headers["If-Match"] = "*"
    if body is None:
        return
    if name == "login":
        case.body = dict(DEMO)
    elif name == "register":
        # The first generated passwords are short and common, and the email address of an example is taken after its first use.
        email = str(body.get("email")).lower()
        with _lock:
            is_taken = email in _taken
            _taken.add(email)
        fresh = {"email": f"fuzz-{next(_numbers)}-{os.getpid()}@example.com"} if is_taken else {}
        case.body = {**body, **fresh, "password": PASSWORD}
    elif name == "refreshSession":
        case.body = {"refresh_token": register()["refresh_token"]}
    elif name == "changePassword":
        case.body = {"current_password": PASSWORD, "new_password": f"{PASSWORD}-{number}"}
    elif name == "confirmPasswordReset":
        case.body = {"token": reset_token(), "new_password": f"{PASSWORD}-{number}"}
    elif name == "createImport":
        # The records of a generated file refer to bucketlists that it does not contain.
        list_id = next(_numbers)
        records = [
            {"type": "bucketlist", "bucketlist_id": list_id, "name": f"Import {list_id}"},
            {"type": "item", "bucketlist_id": list_id, "name": "An item"},
        ]
        case.body = {**body, "records": records}
    elif name in ("deleteMe", "deleteAccount"):
        case.body = {"password": PASSWORD}
