"""Operators of ONNX for exports, of which there are none."""
