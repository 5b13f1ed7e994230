"""The scenario with the clients of openapi-generator. Both have the same package name, so the folder is selected first."""

import datetime
import pathlib
import sys
import urllib.parse

from steps import BASE, NAMES, FUTURE, PASSWORD, THINGS, email, step

CLIENTS = pathlib.Path(sys.argv[3])


def use(version):
    """Loads the client of this version as `bucketlist_client`."""
    for name in [name for name in sys.modules if name.split(".")[0] == "bucketlist_client"]:
        del sys.modules[name]
    sys.path[:] = [str(CLIENTS / version), *(path for path in sys.path if not path.startswith(str(CLIENTS)))]
    import bucketlist_client

    return bucketlist_client


def second():
    api = use("v2")

    def at(address, token=None):
        return api.ApiClient(api.Configuration(host=f"{address}/v2", access_token=token))

    with step("v2 register"):
        account = api.Registration(email=email("oag"), password=PASSWORD, name="Ada")
        session = api.AuthApi(at(BASE)).register(account)
        assert session.user.role is api.Role.USER, session
    client = at(BASE, session.access_token)
    lists, items = api.BucketlistsApi(client), api.ItemsApi(client)

    with step("v2 create"):
        for name in NAMES:
            assert lists.create_bucketlist(api.BucketlistCreate(name=name)).description is None
        list_id = lists.list_bucketlists(q="zürich").data[0].id
        for name in THINGS:
            item = items.create_item(list_id, api.ItemCreate(name=name, due_on=datetime.date(2027, 2, 1)))
            assert item.due_on == datetime.date(2027, 2, 1), item

    with step("v2 pages"):
        seen, cursor = [], ""
        while cursor is not None and len(seen) < 20:
            page = lists.list_bucketlists(cursor=cursor, per_page=2, sort="created_at")
            seen += [each.name for each in page.data]
            link = page.links.next
            cursor = urllib.parse.parse_qs(urllib.parse.urlsplit(link).query)["cursor"][0] if link else None
        assert seen == NAMES, seen

    with step("v2 change"):
        changed = items.update_item(list_id, item.id, api.ItemPatch(done=True))
        assert changed.done and changed.done_at, changed

    with step("v2 values"):
        after = datetime.datetime(2025, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))
        page = lists.list_bucketlists(created_after=after, include=[api.BucketlistListInclude.TOTAL])
        assert page.meta.total == len(NAMES), page
        assert items.update_item(list_id, item.id, api.ItemPatch(due_on=None)).due_on is None
        export = api.ExportsApi(client).create_export(api.ExportCreate(format=api.ExportFormat.CSV))
        assert export.format is api.ExportFormat.CSV and export.created_at > after, export

    with step("v2 error"):
        try:
            # The model checks the rules of the document; other rules are checked by the server.
            api.AuthApi(client).register(api.Registration(email=email("oag"), password="password123", name="Ada"))
            raise AssertionError("a common password was accepted")
        except api.exceptions.UnprocessableEntityException as error:
            problem = error.data
        assert isinstance(problem, api.Problem) and problem.status == 422, problem
        assert problem.code is api.ErrorCode.VALIDATION_FAILED and problem.errors[0].pointer == "/password", problem

    with step("v2 tolerance"):
        future = at(FUTURE, session.access_token)
        me = api.UsersApi(future).get_me()
        assert me.role == "SOMETHING_NEW", me
        assert len(api.BucketlistsApi(future).list_bucketlists().data) == len(NAMES)
        try:
            api.BucketlistsApi(future).get_bucketlist(987654)
            raise AssertionError("a bucketlist that is not there was found")
        except api.exceptions.NotFoundException as error:
            assert error.data.code == "SOMETHING_NEW", error.data

    with step("v2 csv"):
        response = items.list_items_without_preload_content(list_id, _headers={"Accept": "text/csv"})
        rows = response.read().decode().rstrip().split("\r\n")
        assert len(rows) == 1 + len(THINGS) and rows[0].startswith("id,bucketlist_id,name,"), rows


def first():
    api = use("v1")

    def at(address, token=None):
        return api.ApiClient(api.Configuration(host=f"{address}/v1", access_token=token))

    with step("v1 register"):
        account = api.Registration(email=email("oag1"), password=PASSWORD, name="Ada")
        session = api.AuthApi(at(BASE)).register(account)
    client = at(BASE, session.access_token)
    lists = api.BucketlistsApi(client)

    with step("v1 create"):
        for name in NAMES:
            created = lists.create_bucketlist(api.BucketlistCreate(name=name, description="A place."))
            assert created.description == "A place.", created

    with step("v1 pages"):
        seen, number, last = [], 1, 1
        while number <= last:
            page = lists.list_bucketlists(page=number, per_page=2)
            seen += [each.name for each in page.data]
            number, last = number + 1, page.meta.pages
        assert sorted(seen) == sorted(NAMES), seen

    with step("v1 error"):
        try:
            api.AuthApi(client).register(api.Registration(email=email("oag"), password="password123", name="Ada"))
            raise AssertionError("a common password was accepted")
        except api.exceptions.UnprocessableEntityException as error:
            envelope = error.data
        assert isinstance(envelope, api.ErrorEnvelope), envelope
        assert envelope.error.code is api.ErrorCode.VALIDATION_FAILED, envelope
        # `field` is a function of Pydantic, so the generator uses another name.
        assert envelope.error.details[0].var_field == "/password", envelope

    with step("v1 tolerance"):
        me = api.UsersApi(at(FUTURE, session.access_token)).get_me()
        assert me.role == "SOMETHING_NEW", me


second()
first()
