"""Organisations, users with roles and territories, and access tokens."""

from __future__ import annotations

import uuid
from datetime import datetime

from flask_security import AsaList, RoleMixin, UserMixin
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    func,
    literal_column,
    text,
)
from sqlalchemy.ext.mutable import MutableList
from sqlalchemy.orm import Mapped, mapped_column, relationship

from accounts.rules import LinkKind, SignInWay
from areas.models import Area
from core.merging import Merged
from core.model import Base, one_of

user_role = Table(
    "user_role",
    Base.metadata,
    Column("user_id", ForeignKey("user.id"), primary_key=True),
    Column("role_id", ForeignKey("role.id"), primary_key=True),
)

user_territory = Table(
    "user_territory",
    Base.metadata,
    Column("user_id", ForeignKey("user.id"), primary_key=True),
    Column("area_id", ForeignKey("area.id"), primary_key=True),
)


class Organisation(Base):
    """A department, a commune's office, an owner, an operator or a manager of towers."""

    __tablename__ = "organisation"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('department', 'commune', 'owner', 'operator', 'manager')", name="kind"
        ),
        CheckConstraint("length(btrim(name)) BETWEEN 1 AND 300", name="name"),
        Index("uq_organisation_name", text("lower(name)"), unique=True),
        Index(
            "uq_organisation_tax_code",
            "tax_code",
            unique=True,
            postgresql_where=text("tax_code <> ''"),
        ),
        Index(
            "ix_organisation_search",
            func.search_words(literal_column("name")).label("words"),
            postgresql_using="gin",
            postgresql_ops={"words": "gin_trgm_ops"},
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    name: Mapped[str]
    kind: Mapped[str]
    email: Mapped[str] = mapped_column(server_default="")
    phone: Mapped[str] = mapped_column(server_default="")
    address: Mapped[str] = mapped_column(server_default="")
    tax_code: Mapped[str] = mapped_column(server_default="", default="")
    responsible_person: Mapped[str] = mapped_column(server_default="", default="")
    responsible_phone: Mapped[str] = mapped_column(server_default="", default="")
    responsible_email: Mapped[str] = mapped_column(server_default="", default="")
    note: Mapped[str] = mapped_column(server_default="", default="")
    version: Mapped[int] = mapped_column(server_default="1", default=1)
    demo: Mapped[bool] = mapped_column(server_default=text("false"), default=False)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    contacts: Mapped[list[OrganisationContact]] = relationship(
        cascade="all, delete-orphan", order_by="OrganisationContact.place"
    )


class OrganisationContact(Base):
    """A person to speak to at an organisation; `place` is their order."""

    __tablename__ = "organisation_contact"
    __table_args__ = (
        CheckConstraint("length(btrim(name)) BETWEEN 1 AND 300", name="name"),
        Index("ix_organisation_contact_organisation_id", "organisation_id", "place"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    organisation_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("organisation.id"))
    place: Mapped[int] = mapped_column(SmallInteger)
    name: Mapped[str]
    position: Mapped[str] = mapped_column(server_default="", default="")
    phone: Mapped[str] = mapped_column(server_default="", default="")
    email: Mapped[str] = mapped_column(server_default="", default="")
    note: Mapped[str] = mapped_column(server_default="", default="")


class OrganisationMerge(Merged, Base):
    """An organisation that was found to be another one."""

    __tablename__ = "organisation_merge"

    old_name: Mapped[str]
    by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("user.id"))


class Role(Base, RoleMixin):
    __tablename__ = "role"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str] = mapped_column(server_default="")


class User(Base, UserMixin):
    """A person who signs in. `everywhere` is a territory without limit."""

    __tablename__ = "user"
    __table_args__ = (Index("uq_user_email", text("lower(email)"), unique=True),)

    # Flask-Security types these two for its own models.
    id: Mapped[uuid.UUID] = mapped_column(  # type: ignore[assignment]
        primary_key=True, default=uuid.uuid4
    )
    email: Mapped[str]
    name: Mapped[str] = mapped_column(server_default="")
    password: Mapped[str | None]
    active: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    fs_uniquifier: Mapped[str] = mapped_column(unique=True)
    everywhere: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    organisation_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("organisation.id"))
    version: Mapped[int] = mapped_column(server_default="1", default=1)
    demo: Mapped[bool] = mapped_column(server_default=text("false"), default=False)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    tf_primary_method: Mapped[str | None]
    tf_totp_secret: Mapped[str | None]
    # The step of the clock whose code was used last: no code is good twice.
    tf_last_counter: Mapped[int | None] = mapped_column(BigInteger)
    # Hashes of the codes that are left.
    mf_recovery_codes: Mapped[list[str] | None] = mapped_column(
        MutableList.as_mutable(AsaList()), nullable=True
    )
    # Whom the department's own sign-in service knows under this issuer and subject.
    openid_subject: Mapped[str | None] = mapped_column(unique=True)

    roles: Mapped[list[Role]] = relationship(  # type: ignore[assignment]
        secondary=user_role, lazy="selectin"
    )
    territories: Mapped[list[Area]] = relationship(secondary=user_territory, lazy="selectin")
    organisation: Mapped[Organisation | None] = relationship()

    # Whether this person signs in with a second factor only; whoever loads them says so.
    second_factor_due = False

    def check_tf_required(
        self, tf_setup_methods: list[tuple[str, str]], tf_fresh: bool
    ) -> tuple[bool, list[tuple[str, str]]]:
        """Whether sign-in goes on with the second factor, as Flask-Security asks it."""
        return bool(tf_setup_methods) or self.second_factor_due, tf_setup_methods

    def check_tf_required_setup(self) -> bool:
        """Whether the second factor cannot be switched off, as Flask-Security asks it."""
        return self.second_factor_due


class UserSession(Base):
    """A browser in which somebody signed in: the cookie names its row, which says if it is good.

    `lasting` sessions outlive the browser. While `viewing_until` is not over, the service shows
    itself as `viewing_id` sees it, and writes nothing.
    """

    __tablename__ = "user_session"
    __table_args__ = (
        one_of("way", SignInWay),
        CheckConstraint("(viewing_id IS NULL) = (viewing_until IS NULL)", name="viewing"),
        Index("ix_user_session_user_id", "user_id", "seen_at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("user.id"))
    way: Mapped[str]
    lasting: Mapped[bool]
    address: Mapped[str] = mapped_column(server_default="", default="")
    agent: Mapped[str] = mapped_column(server_default="", default="")
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    viewing_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("user.id"))
    viewing_until: Mapped[datetime | None]


class AccountLink(Base):
    """A link that lets somebody set a password once: an invitation, or a reset."""

    __tablename__ = "account_link"
    __table_args__ = (
        one_of("kind", LinkKind),
        Index("ix_account_link_user_id", "user_id", "made_at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("user.id"))
    kind: Mapped[str]
    hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    # When the mail server took the message with it; one that was handed over was not sent.
    sent_at: Mapped[datetime | None]

    user: Mapped[User] = relationship()


class SignInFailure(Base):
    """How often somebody was wrong, by a hash of what they said they were: known or not.

    `place` is a hash of the network or the browser, or of the hour in which all of them count.
    """

    __tablename__ = "sign_in_failure"
    __table_args__ = (Index("ix_sign_in_failure_last_at", "last_at"),)

    who: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    place: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    failures: Mapped[int]
    last_at: Mapped[datetime]


class AccessToken(Base):
    """A named, revocable token; only its hash is kept."""

    __tablename__ = "access_token"
    __table_args__ = (
        Index(
            "ix_access_token_device_id",
            "device_id",
            postgresql_where=text("device_id IS NOT NULL"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("user.id"), index=True)
    name: Mapped[str] = mapped_column(Text, server_default="")
    hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    # A token of a phone ends with it.
    device_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("device.id"))

    user: Mapped[User] = relationship()


class Device(Base):
    """A phone that works for somebody in the field; its id comes from it."""

    __tablename__ = "device"
    __table_args__ = (
        CheckConstraint("length(btrim(name)) BETWEEN 1 AND 100", name="name"),
        Index("ix_device_user_id", "user_id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("user.id"))
    name: Mapped[str]
    app_version: Mapped[str] = mapped_column(server_default="", default="")
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    user: Mapped[User] = relationship()
