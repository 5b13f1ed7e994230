"""The scenario with the clients of openapi-python-client: the packages v1 and v2."""

import datetime
import urllib.parse

from steps import BASE, NAMES, FUTURE, PASSWORD, THINGS, email, step


def second():
    from v2 import AuthenticatedClient, Client, models
    from v2.api.auth import register
    from v2.api.bucketlists import create_bucketlist, get_bucketlist, list_bucketlists
    from v2.api.exports import create_export
    from v2.api.items import create_item, list_items, update_item
    from v2.api.users import get_me

    with step("v2 register"):
        account = models.Registration(email=email("opc"), password=PASSWORD, name="Ada")
        session = register.sync(client=Client(f"{BASE}/v2"), body=account)
        assert isinstance(session, models.AuthSession) and session.user.role is models.Role.USER, session
    client = AuthenticatedClient(f"{BASE}/v2", session.access_token)

    with step("v2 create"):
        for name in NAMES:
            created = create_bucketlist.sync(client=client, body=models.BucketlistCreate(name=name))
            assert isinstance(created, models.Bucketlist) and created.description is None, created
        page = list_bucketlists.sync(client=client, q="zürich")
        assert isinstance(page, models.BucketlistPage), page
        list_id = page.data[0].id
        for name in THINGS:
            body = models.ItemCreate(name=name, due_on=datetime.date(2027, 2, 1))
            item = create_item.sync(list_id, client=client, body=body)
            assert isinstance(item, models.Item) and item.due_on == datetime.date(2027, 2, 1), item

    with step("v2 pages"):
        seen, cursor = [], ""
        while cursor is not None and len(seen) < 20:
            page = list_bucketlists.sync(client=client, cursor=cursor, per_page=2, sort="created_at")
            assert isinstance(page, models.BucketlistPage), page
            seen += [each.name for each in page.data]
            link = page.links.next_
            cursor = urllib.parse.parse_qs(urllib.parse.urlsplit(link).query)["cursor"][0] if link else None
        assert seen == NAMES, seen

    with step("v2 change"):
        changed = update_item.sync(list_id, item.id, client=client, body=models.ItemPatch(done=True))
        assert isinstance(changed, models.Item) and changed.done and changed.done_at, changed

    with step("v2 values"):
        after = datetime.datetime(2025, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))
        page = list_bucketlists.sync(client=client, created_after=after, include=[models.BucketlistListInclude.TOTAL])
        assert isinstance(page, models.BucketlistPage) and page.meta.total == len(NAMES), page
        cleared = update_item.sync(list_id, item.id, client=client, body=models.ItemPatch(due_on=None))
        assert isinstance(cleared, models.Item) and cleared.due_on is None, cleared
        export = create_export.sync(client=client, body=models.ExportCreate(format_=models.ExportFormat.CSV))
        assert isinstance(export, models.Export) and export.format_ is models.ExportFormat.CSV, export
        assert export.created_at > after, export

    with step("v2 error"):
        problem = create_bucketlist.sync(client=client, body=models.BucketlistCreate(name=""))
        assert isinstance(problem, models.Problem) and problem.status == 422, problem
        assert problem.code is models.ErrorCode.VALIDATION_FAILED and problem.errors[0].pointer == "/name", problem

    with step("v2 tolerance"):
        future = AuthenticatedClient(f"{FUTURE}/v2", session.access_token)
        me = get_me.sync(client=future)
        assert isinstance(me, models.User) and me.role == "SOMETHING_NEW", me
        assert me.additional_properties["from_a_future_release"], me
        page = list_bucketlists.sync(client=future)
        assert isinstance(page, models.BucketlistPage) and len(page.data) == len(NAMES), page
        problem = get_bucketlist.sync(987654, client=future)
        assert isinstance(problem, models.Problem) and problem.code == "SOMETHING_NEW", problem

    with step("v2 csv"):
        # The generated function supports only JSON; use the underlying HTTP client.
        response = client.get_httpx_client().get(f"/bucketlists/{list_id}/items", headers={"Accept": "text/csv"})
        rows = response.text.rstrip().split("\r\n")
        assert len(rows) == 1 + len(THINGS) and rows[0].startswith("id,bucketlist_id,name,"), rows


def first():
    from v1 import AuthenticatedClient, Client, models
    from v1.api.auth import register
    from v1.api.bucketlists import create_bucketlist, list_bucketlists
    from v1.api.users import get_me

    with step("v1 register"):
        account = models.Registration(email=email("opc1"), password=PASSWORD, name="Ada")
        session = register.sync(client=Client(f"{BASE}/v1"), body=account)
        assert isinstance(session, models.AuthSession), session
    client = AuthenticatedClient(f"{BASE}/v1", session.access_token)

    with step("v1 create"):
        for name in NAMES:
            created = create_bucketlist.sync(client=client, body=models.BucketlistCreate(name=name, description="A place."))
            assert isinstance(created, models.Bucketlist) and created.description == "A place.", created

    with step("v1 pages"):
        seen, number, last = [], 1, 1
        while number <= last:
            page = list_bucketlists.sync(client=client, page=number, per_page=2)
            assert isinstance(page, models.BucketlistPage), page
            seen += [each.name for each in page.data]
            number, last = number + 1, page.meta.pages
        assert sorted(seen) == sorted(NAMES), seen

    with step("v1 error"):
        envelope = create_bucketlist.sync(client=client, body=models.BucketlistCreate(name=""))
        assert isinstance(envelope, models.ErrorEnvelope), envelope
        assert envelope.error.code is models.ErrorCode.VALIDATION_FAILED, envelope
        assert envelope.error.details[0].field == "/name", envelope

    with step("v1 tolerance"):
        me = get_me.sync(client=AuthenticatedClient(f"{FUTURE}/v1", session.access_token))
        assert isinstance(me, models.User) and me.role == "SOMETHING_NEW", me


second()
first()
