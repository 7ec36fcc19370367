"""The tiny models of the stages' tests."""

from tests.stages.conftest import base_model, make_model

__all__ = ["base_model", "make_model"]
