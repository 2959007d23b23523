// Rearranging channels: pixel shuffle and its inverse, channel shuffle.
#include "bind/casters.h"

namespace rushlight {

namespace {

void check_image(std::string_view name, const Array& x, Index factor, std::string_view what) {
    check(x.ndim() >= 3, name,
          " expects input to have at least 3 dimensions, but got input with ", x.ndim(),
          " dimension(s)");
    check(factor > 0, name, " expects a positive ", what, ", but got ", factor);
}

// x, its last axes split into `parts`, these permuted by `order`, in the shape of `last` axes.
Array rearranged(const Array& x, int axes, const Dims& parts, const Dims& order, const Dims& last) {
    const int lead = x.ndim() - axes;
    Dims split, permuted, shape;
    for (int d = 0; d < lead; ++d) {
        split.push_back(x.size(d));
        permuted.push_back(d);
        shape.push_back(x.size(d));
    }
    for (const Index size : parts) split.push_back(size);
    for (const Index axis : order) permuted.push_back(lead + axis);
    for (const Index size : last) shape.push_back(size);
    return clone(x.reshape(split).permute(permuted)).view(shape);
}

Array pixel_shuffle(const Array& x, Index r) {
    check_image("pixel_shuffle", x, r, "upscale_factor");
    const int n = x.ndim();
    const Index channels = x.size(n - 3), height = x.size(n - 2), width = x.size(n - 1);
    check(channels % (r * r) == 0,
          "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of "
          "upscale_factor, but input.size(-3)=", channels, " is not divisible by ", r * r);
    const Index left = channels / (r * r);
    return rearranged(x, 3, {left, r, r, height, width}, {0, 3, 1, 4, 2},
                      {left, height * r, width * r});
}

Array pixel_unshuffle(const Array& x, Index r) {
    check_image("pixel_unshuffle", x, r, "downscale_factor");
    const int n = x.ndim();
    const Index channels = x.size(n - 3), height = x.size(n - 2), width = x.size(n - 1);
    check(height % r == 0, "pixel_unshuffle expects height to be divisible by downscale_factor, "
          "but input.size(-2)=", height, " is not divisible by ", r);
    check(width % r == 0, "pixel_unshuffle expects width to be divisible by downscale_factor, "
          "but input.size(-1)=", width, " is not divisible by ", r);
    return rearranged(x, 3, {channels, height / r, r, width / r, r}, {0, 2, 4, 1, 3},
                      {channels * r * r, height / r, width / r});
}

Array channel_shuffle(const Array& x, Index groups) {
    check(x.ndim() >= 3, "channel_shuffle expects input with > 2 dims, but got input with sizes ",
          x.shape());
    check(groups > 0, "Number of groups to divide channels in must be positive. Value of groups:",
          groups);
    const Index channels = x.size(1);
    check(channels % groups == 0, "Number of channels must be divisible by groups. Got ", channels,
          " channels and ", groups, " groups.");
    Dims parts{groups, channels / groups}, order{1, 0}, last{channels};
    for (int d = 2; d < x.ndim(); ++d) {
        parts.push_back(x.size(d));
        order.push_back(d);
        last.push_back(x.size(d));
    }
    return rearranged(x, x.ndim() - 1, parts, order, last);
}

}  // namespace

void bind_shuffle(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("pixel_shuffle", &pixel_shuffle, "input"_a, "upscale_factor"_a);
    m.def("pixel_unshuffle", &pixel_unshuffle, "input"_a, "downscale_factor"_a);
    m.def("channel_shuffle", &channel_shuffle, "input"_a, "groups"_a);
}

}  // namespace rushlight
