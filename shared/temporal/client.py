"""Connecting to Temporal: the same converter, encryption and tracing for every process."""

from __future__ import annotations

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
)
from temporalio.service import RPCError, RPCStatusCode

from shared.contracts.workflow import SEARCH_ATTRIBUTES
from shared.settings import Settings
from shared.telemetry.temporal import CommandTracing
from shared.temporal.codec import KeyRingCodec, parse_key_ring

_PYDANTIC = tuple(PydanticPayloadConverter().converters.values())


class SharedPayloadConverter(CompositePayloadConverter):
    """JSON through pydantic, which works out what a type looks like once for the whole process.

    The library makes a converter for every workflow and every activation. Were each to work it out again, that would
    cost more than the commands themselves.
    """

    def __init__(self) -> None:
        super().__init__(*_PYDANTIC)


def data_converter(settings: Settings) -> DataConverter:
    """JSON through pydantic, encrypted with the key ring, failures included."""
    return DataConverter(
        payload_converter_class=SharedPayloadConverter,
        payload_codec=KeyRingCodec(parse_key_ring(settings.payload_keys.get_secret_value())),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )


async def connect(settings: Settings, *, lazy: bool = False) -> Client:
    """Connect to the Temporal that the settings name.

    Args:
        settings: address, namespace, payload keys.
        lazy: connect at the first call, so that a service starts while Temporal is away.

    Raises:
        RuntimeError: not lazy and nothing answers there.
    """
    return await Client.connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        data_converter=data_converter(settings),
        interceptors=[CommandTracing()],
        lazy=lazy,
    )


async def ensure_search_attributes(client: Client) -> None:
    """Register our search attributes in the namespace. Repeatable."""
    for name in SEARCH_ATTRIBUTES:
        request = AddSearchAttributesRequest(
            search_attributes={name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD}, namespace=client.namespace
        )
        try:
            await client.operator_service.add_search_attributes(request)
        except RPCError as error:
            if error.status != RPCStatusCode.ALREADY_EXISTS:
                raise
