"""SummaryWriter: values go to an event file, which TensorBoard reads while it grows."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from tensorboard.compat.proto.event_pb2 import Event, SessionLog, TaggedRunMetadata
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from rushlight.utils.tensorboard import plugins, summary

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["FileWriter", "SummaryWriter"]


class FileWriter:
    """One event file.

    Args:
        log_dir: the folder that it is in; made if it is missing.
        max_queue: how many events wait for the thread that writes them.
        flush_secs: after how many seconds they are written at the latest.
        filename_suffix: the end of the file's name.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str],
        max_queue: int = 10,
        flush_secs: int = 120,
        filename_suffix: str = "",
    ) -> None:
        self.event_writer = EventFileWriter(str(log_dir), max_queue, flush_secs, filename_suffix)

    def get_logdir(self) -> str:
        """The folder."""
        return self.event_writer.get_logdir()

    def add_event(self, event: Any, step: int | None = None, walltime: float | None = None) -> None:
        """Write an event, stamped with the step and the time."""
        event.wall_time = time.time() if walltime is None else walltime
        if step is not None:
            event.step = int(step)
        self.event_writer.add_event(event)

    def add_summary(
        self, summary: Any, global_step: int | None = None, walltime: float | None = None
    ) -> None:
        """Write a summary as an event."""
        self.add_event(Event(summary=summary), global_step, walltime)

    def add_graph(self, graph_profile: tuple[Any, Any], walltime: float | None = None) -> None:
        """Write a graph, and the metadata of its run."""
        graph, metadata = graph_profile
        self.add_event(Event(graph_def=graph.SerializeToString()), None, walltime)
        run = TaggedRunMetadata(tag="step1", run_metadata=metadata.SerializeToString())
        self.add_event(Event(tagged_run_metadata=run), None, walltime)

    def add_onnx_graph(self, graph: Any, walltime: float | None = None) -> None:
        """Write a graph."""
        self.add_event(Event(graph_def=graph.SerializeToString()), None, walltime)

    def flush(self) -> None:
        """Write what waits."""
        self.event_writer.flush()

    def close(self) -> None:
        """Write what waits and close the file."""
        self.event_writer.close()

    def reopen(self) -> None:
        """Go on with a new file."""
        self.event_writer.reopen()


class SummaryWriter:
    """Writes what a training run is to show in TensorBoard.

    Values are given as tensors, NumPy arrays or numbers. `global_step` is the place on the
    horizontal axis, `walltime` (seconds since 1970) stands in for the time of the call.

    Args:
        log_dir: the folder to write to; by default `runs/` and a name of time and host.
        comment: the end of that default name.
        purge_step: tells TensorBoard to forget what an earlier run wrote from this step on.
        max_queue: how many events wait for the thread that writes them.
        flush_secs: after how many seconds they are written at the latest.
        filename_suffix: the end of the names of files.

    Example:
        with SummaryWriter("runs/first") as writer:
            for step in range(100):
                writer.add_scalar("loss", 1 / (step + 1), step)
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] | None = None,
        comment: str = "",
        purge_step: int | None = None,
        max_queue: int = 10,
        flush_secs: int = 120,
        filename_suffix: str = "",
    ) -> None:
        if not log_dir:
            import socket
            from datetime import datetime

            now = datetime.now().strftime("%b%d_%H-%M-%S")
            log_dir = os.path.join("runs", f"{now}_{socket.gethostname()}{comment}")
        self.log_dir = str(log_dir)
        self.purge_step = purge_step
        self.max_queue = max_queue
        self.flush_secs = flush_secs
        self.filename_suffix = filename_suffix
        self.file_writer: FileWriter | None = None
        self.all_writers: dict[str, FileWriter] | None = None  # by folder
        self.default_bins: Any = None
        self._embeddings: Any = None  # the projector's configuration
        self._get_file_writer()

    def _new_writer(self, folder: str) -> FileWriter:
        return FileWriter(folder, self.max_queue, self.flush_secs, self.filename_suffix)

    def _get_file_writer(self) -> FileWriter:
        """The file of this writer; a new one after close()."""
        if self.file_writer is None:
            self.file_writer = self._new_writer(self.log_dir)
            self.all_writers = {self.file_writer.get_logdir(): self.file_writer}
            if self.purge_step is not None:
                step, self.purge_step = self.purge_step, None
                start = SessionLog(status=SessionLog.START)
                self.file_writer.add_event(Event(step=step, file_version="brain.Event:2"))
                self.file_writer.add_event(Event(step=step, session_log=start))
        return self.file_writer

    def _add(self, message: Any, global_step: int | None, walltime: float | None) -> None:
        self._get_file_writer().add_summary(message, global_step, walltime)

    def get_logdir(self) -> str:
        """The folder that is written to."""
        return self.log_dir

    # ---- numbers

    def add_scalar(
        self,
        tag: str,
        scalar_value: Any,
        global_step: int | None = None,
        walltime: float | None = None,
        new_style: bool = False,
        double_precision: bool = False,
    ) -> None:
        """A number, as a point of the curve `tag`.

        `new_style` writes it as a tensor, which loads faster, and with `double_precision` in 64
        bits instead of 32.
        """
        message = summary.scalar(tag, scalar_value, new_style, double_precision)
        self._add(message, global_step, walltime)

    def add_scalars(
        self,
        main_tag: str,
        tag_scalar_dict: dict[str, Any],
        global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:
        """Points of several curves in one plot; each curve is a run of its own in a folder."""
        walltime = time.time() if walltime is None else walltime
        folder = self._get_file_writer().get_logdir()
        assert self.all_writers is not None
        for tag, value in tag_scalar_dict.items():
            own = f"{folder}/{main_tag.replace('/', '_')}_{tag}"
            if own not in self.all_writers:
                self.all_writers[own] = self._new_writer(own)
            message = summary.scalar(main_tag, value)
            self.all_writers[own].add_summary(message, global_step, walltime)

    def add_tensor(
        self,
        tag: str,
        tensor: Any,
        global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:
        """A tensor as it is, of any shape."""
        self._add(summary.tensor(tag, tensor), global_step, walltime)

    def add_histogram(
        self,
        tag: str,
        values: Any,
        global_step: int | None = None,
        bins: Any = "tensorflow",
        walltime: float | None = None,
        max_bins: int | None = None,
    ) -> None:
        """How the values of a tensor are distributed.

        Args:
            tag: the name of the plot.
            values: of any shape.
            global_step: the step.
            bins: limits of bins, or what `numpy.histogram` takes; "tensorflow" for limits that are
                10 % apart.
            walltime: the time.
            max_bins: join neighbouring bins until there are about this many.
        """
        if isinstance(bins, str) and bins == "tensorflow":
            if self.default_bins is None:
                self.default_bins = summary.default_bins()
            bins = self.default_bins
        self._add(summary.histogram(tag, values, bins, max_bins), global_step, walltime)

    def add_histogram_raw(
        self,
        tag: str,
        min: float,
        max: float,
        num: float,
        sum: float,
        sum_squares: float,
        bucket_limits: Sequence[float],
        bucket_counts: Sequence[float],
        global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:
        """A histogram that is counted already: `bucket_limits` are the right limits of bins."""
        if len(bucket_limits) != len(bucket_counts):
            raise ValueError(
                f"add_histogram_raw: there are {len(bucket_limits)} bucket_limits and "
                f"{len(bucket_counts)} bucket_counts; len(bucket_limits) != len(bucket_counts)"
            )
        numbers = (min, max, num, sum, sum_squares, bucket_limits, bucket_counts)
        self._add(summary.histogram_raw(tag, *numbers), global_step, walltime)

    # ---- pictures, sound, text

    def add_image(
        self,
        tag: str,
        img_tensor: Any,
        global_step: int | None = None,
        walltime: float | None = None,
        dataformats: str = "CHW",
    ) -> None:
        """A picture of 1, 3 or 4 channels: uint8 from 0 to 255, or floats from 0 to 1.

        `dataformats` says what the dimensions are: "CHW", "HWC", "HW".
        """
        self._add(summary.image(tag, img_tensor, dataformats), global_step, walltime)

    def add_images(
        self,
        tag: str,
        img_tensor: Any,
        global_step: int | None = None,
        walltime: float | None = None,
        dataformats: str = "NCHW",
    ) -> None:
        """Pictures in a grid, eight to a row: like `add_image` with a first dimension "N"."""
        self._add(summary.image(tag, img_tensor, dataformats), global_step, walltime)

    def add_image_with_boxes(
        self,
        tag: str,
        img_tensor: Any,
        box_tensor: Any,
        global_step: int | None = None,
        walltime: float | None = None,
        rescale: float = 1,
        dataformats: str = "CHW",
        labels: str | Sequence[str] | None = None,
    ) -> None:
        """A picture with boxes drawn in: rows of (left, top, right, bottom), in pixels.

        `labels`, one for each box, stand in them; `rescale` is the factor of the picture's size.
        """
        if labels is not None:
            labels = [labels] if isinstance(labels, str) else labels
            if len(labels) != len(box_tensor):
                labels = None
        message = summary.image_boxes(tag, img_tensor, box_tensor, rescale, dataformats, labels)
        self._add(message, global_step, walltime)

    def add_figure(
        self,
        tag: str,
        figure: Any,
        global_step: int | None = None,
        close: bool = True,
        walltime: float | None = None,
    ) -> None:
        """A matplotlib figure, or a list of them, as a picture; they are closed by default."""
        pixels = summary.figures(figure, close)
        self._add(summary.image(tag, pixels, "NCHW"[-pixels.ndim :]), global_step, walltime)

    def add_video(
        self,
        tag: str,
        vid_tensor: Any,
        global_step: int | None = None,
        fps: float = 4,
        walltime: float | None = None,
    ) -> None:
        """Videos (N, T, C, H, W) side by side, `fps` frames a second; needs the moviepy package."""
        from rushlight.utils.tensorboard.video import video

        self._add(video(tag, vid_tensor, fps), global_step, walltime)

    def add_audio(
        self,
        tag: str,
        snd_tensor: Any,
        global_step: int | None = None,
        sample_rate: int = 44100,
        walltime: float | None = None,
    ) -> None:
        """Sound: (samples) from -1 to 1; what is louder is clipped."""
        self._add(summary.audio(tag, snd_tensor, sample_rate), global_step, walltime)

    def add_text(
        self,
        tag: str,
        text_string: str,
        global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:
        """A text, shown as Markdown."""
        self._add(summary.text(tag, text_string), global_step, walltime)

    # ---- hyperparameters

    def add_hparams(
        self,
        hparam_dict: dict[str, Any],
        metric_dict: dict[str, Any],
        hparam_domain_discrete: dict[str, list[Any]] | None = None,
        run_name: str | None = None,
        global_step: int | None = None,
    ) -> None:
        """The hyperparameters of a run, with the metrics that it reached, to compare runs by.

        Args:
            hparam_dict: numbers, strings, truth values, None for one that is not there.
            metric_dict: numbers by tag; the tags should not be those of curves.
            hparam_domain_discrete: all values that a hyperparameter can have.
            run_name: the folder inside this one; by default the time.
            global_step: the step.
        """
        if type(hparam_dict) is not dict or type(metric_dict) is not dict:
            raise TypeError("add_hparams: hparam_dict and metric_dict should be dictionary.")
        messages = summary.hparams(hparam_dict, metric_dict, hparam_domain_discrete)
        folder = os.path.join(self._get_file_writer().get_logdir(), run_name or str(time.time()))
        with SummaryWriter(log_dir=folder) as writer:
            for message in messages:
                writer._add(message, global_step, None)
            for tag, value in metric_dict.items():
                writer.add_scalar(tag, value, global_step)

    # ---- curves of classifiers, layouts, meshes

    def add_pr_curve(
        self,
        tag: str,
        labels: Any,
        predictions: Any,
        global_step: int | None = None,
        num_thresholds: int = 127,
        weights: Any = None,
        walltime: float | None = None,
    ) -> None:
        """Precision and recall of a classifier of two classes at many thresholds.

        Args:
            tag: the name of the plot.
            labels: whether each item is positive.
            predictions: the probability of that, of the same shape.
            global_step: the step.
            num_thresholds: how many thresholds from 0 to 1; at most 127.
            weights: how much each item counts.
            walltime: the time.
        """
        message = plugins.pr_curve(tag, labels, predictions, num_thresholds, weights)
        self._add(message, global_step, walltime)

    def add_pr_curve_raw(
        self,
        tag: str,
        true_positive_counts: Any,
        false_positive_counts: Any,
        true_negative_counts: Any,
        false_negative_counts: Any,
        precision: Any,
        recall: Any,
        global_step: int | None = None,
        num_thresholds: int = 127,
        weights: Any = None,
        walltime: float | None = None,
    ) -> None:
        """A curve of precision and recall that is counted already: one value per threshold.

        `weights` are in the counts.
        """
        rows = (
            true_positive_counts, false_positive_counts, true_negative_counts,
            false_negative_counts, precision, recall,
        )  # fmt: skip
        self._add(plugins.pr_curve_raw(tag, *rows, num_thresholds), global_step, walltime)

    def add_custom_scalars(self, layout: Mapping[str, Mapping[str, Sequence[Any]]]) -> None:
        """Says which curves of `add_scalar` are drawn together; once for a writer.

        `layout` is {category: {title: ["Multiline", tags]}}, or ["Margin", (value, lower, upper)]
        for a curve with its limits.
        """
        self._add(plugins.custom_scalars(layout), None, None)

    def add_custom_scalars_multilinechart(
        self, tags: Sequence[str], category: str = "default", title: str = "untitled"
    ) -> None:
        """One chart with the curves of these tags."""
        self.add_custom_scalars({category: {title: ["Multiline", tags]}})

    def add_custom_scalars_marginchart(
        self, tags: Sequence[str], category: str = "default", title: str = "untitled"
    ) -> None:
        """One chart of a curve between two: the tags of the value, the lower and the upper one."""
        self.add_custom_scalars({category: {title: ["Margin", tags]}})

    def add_mesh(
        self,
        tag: str,
        vertices: Any,
        colors: Any = None,
        faces: Any = None,
        config_dict: dict[str, Any] | None = None,
        global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:
        """Meshes or clouds of points in three dimensions.

        Args:
            tag: the name.
            vertices: their places, (B, N, 3).
            colors: of each vertex, (B, N, 3), from 0 to 255.
            faces: the numbers of the vertices of each triangle, (B, M, 3).
            config_dict: classes of Three.js and their settings: camera, light...
            global_step: the step.
            walltime: the time.
        """
        message = plugins.mesh(tag, vertices, colors, faces, config_dict)
        self._add(message, global_step, walltime)

    # ---- embeddings

    def add_embedding(
        self,
        mat: Any,
        metadata: Sequence[Any] | None = None,
        label_img: Any = None,
        global_step: int | None = None,
        tag: str = "default",
        metadata_header: Sequence[str] | None = None,
    ) -> None:
        """Vectors for the projector, which shows them in two or three dimensions.

        Args:
            mat: (N, D), a vector in each row.
            metadata: N labels; with a header, N rows of as many columns as it has.
            label_img: N pictures (N, C, H, W), from 0 to 1.
            global_step: the step.
            tag: the name.
            metadata_header: the names of the columns of metadata.
        """
        from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

        from rushlight.utils.tensorboard import embedding

        folder = self._get_file_writer().get_logdir()
        entry = embedding.write_embedding(
            folder, mat, metadata, label_img, global_step or 0, tag, metadata_header
        )
        if self._embeddings is None:
            self._embeddings = ProjectorConfig()
        self._embeddings.embeddings.append(entry)
        embedding.write_config(folder, self._embeddings)

    # ---- graphs

    def add_graph(
        self,
        model: Any,
        input_to_model: Any = None,
        verbose: bool = False,
        use_strict_trace: bool = True,
    ) -> None:
        """What a module does: its ops in one call, inside the modules that call them.

        Args:
            model: the module; it runs once, in evaluation mode.
            input_to_model: what it is called with; a tuple or list for several arguments.
            verbose: print the nodes.
            use_strict_trace: either value draws results in lists and dictionaries too.
        """
        from rushlight.utils.tensorboard.graph import graph

        self._get_file_writer().add_graph(graph(model, input_to_model, verbose))

    def add_onnx_graph(self, prototxt: Any) -> None:
        """The graph of an ONNX file; needs the onnx package."""
        from rushlight.utils.tensorboard.onnx_graph import onnx_graph

        self._get_file_writer().add_onnx_graph(onnx_graph(prototxt))

    # ---- the end

    def flush(self) -> None:
        """Write all events that wait to disk."""
        for writer in (self.all_writers or {}).values():
            writer.flush()

    def close(self) -> None:
        """Write all that waits and close the files. Adding something more begins a new file."""
        for writer in (self.all_writers or {}).values():
            writer.flush()
            writer.close()
        self.file_writer = self.all_writers = None

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
