"""FastAPI and SQLAlchemy, as their tutorials recommend: synchronous endpoints, one session per request, ORM models.

uvicorn --workers 2 app:app, with DATABASE_URL, PORT and JWT_SECRET.
"""

import hashlib
import json
import os
from datetime import date, datetime, timezone
from typing import Annotated, Any

import jwt
import psycopg
from fastapi import Depends, FastAPI, Header, HTTPException, Query, Response
from pydantic import BaseModel, ConfigDict, StringConstraints
from sqlalchemy import BigInteger, ForeignKey, create_engine, event, exists, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

URL = os.environ["DATABASE_URL"]
IS_SQLITE = URL.startswith("sqlite:")
if IS_SQLITE:
    engine = create_engine(f"sqlite:///{URL.removeprefix('sqlite://')}", pool_size=8)

    @event.listens_for(engine, "connect")
    def set_up(connection, _):
        for pragma in ("busy_timeout = 5000", "journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")
else:
    # libpq parses the URL, which can name a socket.
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(URL), pool_size=8)

app = FastAPI(openapi_url=None)


class Base(DeclarativeBase):
    type_annotation_map = {int: BigInteger}


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    disabled: Mapped[bool]


class AccountSession(Base):
    __tablename__ = "sessions"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    revoked_at: Mapped[int | None]


class RevokedToken(Base):
    __tablename__ = "revoked_tokens"
    token_id: Mapped[str] = mapped_column(primary_key=True)


class Bucketlist(Base):
    __tablename__ = "bucketlists"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int]
    name: Mapped[str]
    description: Mapped[str | None]
    search_text: Mapped[str]
    items_total: Mapped[int] = mapped_column(default=0)
    items_done: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[int]
    updated_at: Mapped[int]


class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    bucketlist_id: Mapped[int]
    name: Mapped[str]
    description: Mapped[str | None]
    search_text: Mapped[str]
    done: Mapped[bool] = mapped_column(default=False)
    done_at: Mapped[int | None]
    due_on: Mapped[date | None]
    created_at: Mapped[int]
    updated_at: Mapped[int]


class Content(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
    description: Annotated[str, StringConstraints(max_length=1000)] | None = None

    def columns(self) -> dict[str, Any]:
        now = int(datetime.now(timezone.utc).timestamp() * 1_000_000)
        text = f"{self.name}\n{self.description or ''}".lower()
        return {"name": self.name, "description": self.description, "search_text": text, "created_at": now, "updated_at": now}


def open_session():
    with Session(engine) as session:
        yield session


Database = Annotated[Session, Depends(open_session)]


def authenticate(session: Database, authorization: Annotated[str, Header()] = "") -> int:
    try:
        claims = jwt.decode(
            authorization.removeprefix("Bearer "), os.environ["JWT_SECRET"], ["HS256"], audience="bucketlist-api", issuer="bucketlist",
        )
    except jwt.InvalidTokenError:
        raise HTTPException(401) from None
    status = session.execute(
        select(User.id, User.disabled, AccountSession.revoked_at, exists().where(RevokedToken.token_id == claims["jti"]))
        .join(AccountSession, AccountSession.user_id == User.id)
        .where(AccountSession.id == claims["sid"])
    ).one_or_none()
    if status is None or status[1] or status[2] is not None or status[3] or status[0] != int(claims["sub"]):
        raise HTTPException(401)
    return status[0]


Caller = Annotated[int, Depends(authenticate)]
PageNumber = Annotated[int, Query(alias="page", ge=1)]
PerPage = Annotated[int, Query(ge=1, le=100)]


def time(micros: int | None) -> str | None:
    if micros is None:
        return None
    seconds, rest = divmod(micros, 1_000_000)
    return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%dT%H:%M:%S}.{rest:06}Z"


def bucketlist(row: Bucketlist) -> dict[str, Any]:
    return {
        "id": row.id, "name": row.name, "description": row.description, "items_total": row.items_total, "items_done": row.items_done,
        "created_at": time(row.created_at), "updated_at": time(row.updated_at),
    }


def linked(row: Bucketlist) -> dict[str, Any]:
    path = f"/v2/bucketlists/{row.id}"
    links = {
        "self": (path, "GET"), "collection": ("/v2/bucketlists", "GET"), "items": (f"{path}/items", "GET"),
        "add_item": (f"{path}/items", "POST"), "update": (path, "PATCH"), "replace": (path, "PUT"), "delete": (path, "DELETE"),
    }
    links = {name: {"href": href, "method": method} for name, (href, method) in links.items()}
    return bucketlist(row) | {"items": None, "_links": links}


def item(row: Item) -> dict[str, Any]:
    return {
        "id": row.id, "bucketlist_id": row.bucketlist_id, "name": row.name, "description": row.description, "done": row.done,
        "done_at": time(row.done_at), "due_on": row.due_on and row.due_on.isoformat(), "created_at": time(row.created_at),
        "updated_at": time(row.updated_at),
    }


def respond(value: dict[str, Any], status: int = 200, location: str | None = None, is_tagged: bool = False) -> Response:
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    headers = {"Location": location} if location else {}
    if is_tagged:
        headers["ETag"] = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
    return Response(body, status, headers, "application/json")


def page(path: str, data: list[dict[str, Any]], total: int, number: int, per_page: int) -> Response:
    pages = -(-total // per_page)
    last = max(pages, 1)
    link = lambda number: f"{path}?page={number}&per_page={per_page}"
    links = {
        "self": link(number), "first": link(1), "prev": link(min(number - 1, last)) if number > 1 else None,
        "next": link(number + 1) if number < last else None, "last": link(last),
    }
    return respond({"data": data, "meta": {"page": number, "per_page": per_page, "total": total, "pages": pages}, "links": links})


@app.get("/v2/bucketlists/{id}")
def get_bucketlist(id: int, session: Database, caller: Caller):
    row = session.scalar(select(Bucketlist).where(Bucketlist.id == id, Bucketlist.user_id == caller))
    if row is None:
        raise HTTPException(404)
    return respond(linked(row), is_tagged=True)


@app.get("/v1/bucketlists")
def list_bucketlists(session: Database, caller: Caller, page_number: PageNumber = 1, per_page: PerPage = 20):
    owned = Bucketlist.user_id == caller
    total = session.scalar(select(func.count()).select_from(Bucketlist).where(owned)) or 0
    rows = session.scalars(
        select(Bucketlist).where(owned).order_by(Bucketlist.id).limit(per_page).offset((page_number - 1) * per_page)
    )
    return page("/v1/bucketlists", [bucketlist(row) for row in rows], total, page_number, per_page)


@app.get("/v1/bucketlists/{id}/items")
def list_items(id: int, session: Database, caller: Caller, page_number: PageNumber = 1, per_page: PerPage = 20):
    total = session.scalar(select(Bucketlist.items_total).where(Bucketlist.id == id, Bucketlist.user_id == caller))
    if total is None:
        raise HTTPException(404)
    rows = session.scalars(
        select(Item).where(Item.bucketlist_id == id).order_by(Item.id).limit(per_page).offset((page_number - 1) * per_page)
    )
    return page(f"/v1/bucketlists/{id}/items", [item(row) for row in rows], total, page_number, per_page)


@app.post("/v2/bucketlists")
def create_bucketlist(content: Content, session: Database, caller: Caller):
    row = Bucketlist(user_id=caller, **content.columns())
    session.add(row)
    try:
        session.flush()
    except IntegrityError:
        raise HTTPException(409) from None
    value = linked(row)
    session.commit()
    return respond(value, 201, f"/v2/bucketlists/{value['id']}", is_tagged=True)


@app.post("/v1/bucketlists/{id}/items")
def create_item(id: int, content: Content, session: Database, caller: Caller):
    counted = session.execute(
        update(Bucketlist)
        .where(Bucketlist.id == id, Bucketlist.user_id == caller)
        .values(items_total=Bucketlist.items_total + 1)
        .execution_options(synchronize_session=False)
    )
    if counted.rowcount == 0:
        raise HTTPException(404)
    row = Item(bucketlist_id=id, **content.columns())
    session.add(row)
    session.flush()
    value = item(row)
    session.commit()
    return respond(value, 201, f"/v1/bucketlists/{id}/items/{value['id']}")
