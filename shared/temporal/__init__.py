"""Temporal: client, data converter, payload encryption."""

from shared.temporal.client import connect, data_converter, ensure_search_attributes

__all__ = ["connect", "data_converter", "ensure_search_attributes"]
