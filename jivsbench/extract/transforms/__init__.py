"""Transforms: what becomes of rows between source and file, planned before anything is read."""

from jivsbench.extract.transforms.plan import TransformPlan, plan_transforms

__all__ = ["TransformPlan", "plan_transforms"]
