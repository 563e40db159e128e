"""Query parameters that take no unknown ones, as bodies take no unknown fields.

ninja passes over what it does not know, and a misspelt `dry_run` would then be an import.
"""

from typing import TYPE_CHECKING, Annotated, Any

from django.http import HttpRequest
from ninja import NinjaAPI
from ninja.params import models

from mailmum.domain.errors import BadInput
from mailmum.domain.texts import shown

__all__ = ["Query"]


class _Strict(models.QueryModel):
    @classmethod
    def get_request_data(
        cls, request: HttpRequest, api: NinjaAPI, path_params: dict[str, Any]
    ) -> dict[str, Any] | None:
        known = getattr(cls, "__ninja_flatten_map__", {})
        unknown = next((name for name in request.GET if name not in known), None)
        if unknown is not None:
            raise BadInput(
                f"there is no parameter {shown(unknown)}",
                fix=f"use {', '.join(known)}",
                field=shown(unknown),
            )
        return super().get_request_data(request, api, path_params)


class _Parameter(models.Query):  # type: ignore[misc]  # its base has no types
    _model = _Strict

    @classmethod
    def _param_source(cls) -> str:
        return "query"


if TYPE_CHECKING:
    from ninja import Query
else:

    class Query:
        """`Query[Wanted]`: the parameters of a request as a `Wanted`, and no others."""

        def __class_getitem__(cls, wanted: type) -> Any:
            return Annotated[wanted, _Parameter(...)]
