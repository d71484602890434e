"""Accounts have pages and commands; organisations are read through the towers' API."""

from __future__ import annotations

from core.api import Blueprint

BLUEPRINTS: tuple[Blueprint, ...] = ()
