// Tiles, their order, and what computes each of them.
#include "kernels/gemm.h"

#include <algorithm>
#include <bit>
#include <climits>
#include <cmath>
#include <optional>

#include "kernels/gemm_loops.h"
#include "runtime/blas.h"
#include "runtime/parallel.h"

namespace rushlight {
namespace {

// Costs are counted in float32 operations; a byte from memory costs as much as five.
constexpr double kCostPerByte = 5;
constexpr double kCostPerSecond = 5e10;
// Tiles smaller than this are not worth a task of their own: a call of BLAS packs more than our loops.
constexpr double kTileCost = 6e6, kOwnTileCost = 1.5e6;
// Half a product may be smaller: 5 us for our loops.
constexpr double kHalvesCost = 1.6e6;
// From here on there are more than kTilesAtFirst tiles, each of them larger.
constexpr double kManyTilesCost = 4.8e7, kTilesAtFirst = 8;
// Where there are few tiles, k is cut into no shorter parts than this.
constexpr Index kShortestPart = 128;
// Cheap matrices of a batch are put together until a task costs this much.
constexpr double kTaskCost = 8e5;
// No call of BLAS computes more, so that Ctrl-C gets its turn.
constexpr double kCallCost = 4e9;
// Products of fewer multiply-adds are not cut.
constexpr double kTiny = 150000;
// Tiles of our own loops: rows of A that stay in the second-level cache, columns that share them.
constexpr Index kOwnRows = 256, kOwnColumns = 512;

double operation_cost(DType dtype) {
    switch (dtype) {
        case DType::F32: return 1;
        case DType::F64: return 2;
        case DType::C64: return 4;
        case DType::C128: return 8;
        case DType::BF16: return 0.5;
        default: return 16;  // integers, in plain loops
    }
}

double product_cost(DType dtype, double m, double n, double k) {
    const double bytes = double(size_of(dtype)) * (m * k + k * n + m * n);
    return 2 * m * n * k * operation_cost(dtype) + kCostPerByte * bytes;
}

bool has_blas(DType dtype) { return dtype >= DType::F32; }

// How a product is cut: each matrix of the batch into a grid of tiles, the sum over k into rounds
// after each other or parts beside each other. A unit is one part of one tile of one matrix; a task
// runs `units_each` of them.
struct Plan {
    bool own = false;  // our own loops, not BLAS
    Index batch = 1;
    Index grid_m = 1, grid_n = 1;
    Index tile_m = 0, tile_n = 0;
    Index depth = 0, rounds = 1, parts = 1;
    Index units = 0, units_each = 1, tasks = 0;
    double seconds_each = 0;
    Array room;      // for the tiles of C, where they are computed turned
    Array partials;  // the tiles of C once for each part of k
};

Index divide_up(Index a, Index b) { return (a + b - 1) / b; }

double worth_tasks(double cost, bool own) {
    const double tasks = cost / (own ? kOwnTileCost : kTileCost);
    return own && cost >= kHalvesCost ? std::max(tasks, 2.0) : tasks;
}

// The number of tiles grows with the cost, first as fast as that, later slowly: large tiles pack
// less often. It never depends on the number of threads.
void cut_output(const Product& product, double cost, Plan& plan) {
    const double many = kTilesAtFirst * std::pow(std::max(cost / kManyTilesCost, 1.0), 0.25);
    double tiles = std::min(worth_tasks(cost, plan.own), many);
    tiles = std::max(tiles, std::min(cost / kCallCost, 1024.0));
    const Index wanted = Index(std::bit_floor(std::uint64_t(std::max(tiles, 1.0))));
    const Index least = plan.own ? 8192 : is_complex(product.dtype) ? 2 * 4096 : 2 * 16384;
    while (plan.grid_m * plan.grid_n < wanted) {
        const Index edge_m = product.m / plan.grid_m, edge_n = product.n / plan.grid_n;
        const bool split_m = edge_m > edge_n;
        // Small tiles repeat too much of the packing; matrix times vector packs nothing.
        const Index shorter = std::min(edge_m, edge_n), longer = std::max(edge_m, edge_n);
        if (longer < 128 || (shorter > 8 && shorter * longer < least)) break;
        (split_m ? plan.grid_m : plan.grid_n) *= 2;
    }
    const auto tile = [&](Index edge, Index parts, Index most) {
        const Index size = divide_up(divide_up(edge, parts), 16) * 16;
        return std::min(edge, plan.own ? std::min(size, most) : size);
    };
    plan.tile_m = tile(product.m, plan.grid_m, kOwnRows);
    plan.tile_n = tile(product.n, plan.grid_n, kOwnColumns);
    plan.grid_m = divide_up(product.m, plan.tile_m);
    plan.grid_n = divide_up(product.n, plan.tile_n);
}

// A small matrix that is a long sum, such as the gradient of a narrow layer's weight, leaves too few
// tiles. It depends on the shape alone, like the tiles.
void cut_depth(const Product& product, double cost, Plan& plan) {
    if (!plan.own || (product.dtype != DType::F32 && product.dtype != DType::F64)) return;
    const double tiles = double(plan.batch * plan.grid_m * plan.grid_n);
    const double most = std::min({worth_tasks(cost, true), kTilesAtFirst / std::max(tiles, 1.0),
                                  double(product.k / kShortestPart)});
    if (most < 2) return;
    plan.parts = Index(std::bit_floor(std::uint64_t(most)));
    plan.depth = divide_up(product.k, plan.parts);
    plan.parts = divide_up(product.k, plan.depth);
}

bool is_tiny(const Product& product) {
    return has_blas(product.dtype) &&
           double(product.m) * double(product.n) * double(product.k) <= kTiny &&
           has_own_loops(product.dtype, product.m, product.n, product.k);
}

// A layer's forward pass for few rows: to multiply, B has to be packed by columns, which takes as
// long as three or four rows. Packing A instead and turning the result afterwards moves fewer
// numbers, but rows are then filled up to whole vectors.
bool is_cheaper_turned(const Product& p, const Plan& plan) {
    if (!plan.own || (p.dtype != DType::F32 && p.dtype != DType::F64)) return false;
    if (p.a.col != 1 || p.b.row != 1) return false;
    constexpr double kWorthwhile = 32768;
    const auto m = double(plan.tile_m), n = double(plan.tile_n), k = double(plan.depth);
    if (n * k < std::max(kWorthwhile, 2 * m * (k + n))) return false;
    const Index last = plan.tile_m % 32;
    const Index filled = last == 0 ? 0 : last <= 8 ? 8 : last <= 16 ? 16 : 32;
    return filled - last < 4;
}

// Once the tiles are known. Tasks do not allocate.
void make_room(const Product& product, Plan& plan) {
    if (is_cheaper_turned(product, plan))
        plan.room = Array::empty({plan.units, plan.tile_n, plan.tile_m}, product.dtype);
    if (plan.parts > 1)
        plan.partials = Array::empty({plan.units, plan.tile_m, plan.tile_n}, product.dtype);
}

Plan make_plan(const Product& product) {
    Plan plan;
    plan.batch = product.batch.product();
    check(product.m == 1 || product.n <= INT_MAX, "matmul: ", product.n, " columns are too many");
    plan.own = has_own_loops(product.dtype, product.m, product.n, product.k);
    plan.tile_m = product.m;
    plan.tile_n = product.n;
    plan.depth = product.k;
    double cost = product_cost(product.dtype, double(product.m), double(product.n),
                               double(product.k));
    if (!is_tiny(product)) {
        cut_output(product, cost, plan);
        cost = product_cost(product.dtype, double(plan.tile_m), double(plan.tile_n),
                            double(product.k));
        if (cost > kCallCost || product.k > INT_MAX) {
            plan.rounds = std::max(Index(std::ceil(cost / kCallCost)), product.k / (1 << 30) + 1);
            plan.depth = divide_up(product.k, plan.rounds);
            plan.rounds = divide_up(product.k, plan.depth);
            cost /= double(plan.rounds);
        } else {
            cut_depth(product, cost, plan);
            cost /= double(plan.parts);
        }
    }
    plan.units = plan.batch * plan.grid_m * plan.grid_n * plan.parts;
    make_room(product, plan);
    if (cost < kTaskCost) plan.units_each = std::max<Index>(Index(kTaskCost / (cost + 1)), 1);
    plan.units_each = std::clamp<Index>(plan.units_each, 1, std::max<Index>(plan.units, 1));
    plan.tasks = divide_up(plan.units, plan.units_each);
    plan.seconds_each = cost * double(plan.units_each) / kCostPerSecond;
    return plan;
}

// A part of a matrix product: a tile of C and a range of k. `from` is what is added to it.
template <class T, class R = T>
using Tile = GemmArgs<T, R>;

struct BlasLayout {
    Transpose op;
    int rows_apart;
};

// How BLAS is told of a matrix; strides_fit_blas() holds. A column with contiguous elements goes
// as the transposed row that it is, which has the fastest kernels.
BlasLayout blas_layout(Index rows, Index cols, Index row, Index col) {
    const bool plain = (col == 1 || cols == 1) && (rows == 1 || row >= cols);
    if (plain && !(cols == 1 && row == 1)) {
        return {Transpose::No, int(rows == 1 ? std::max<Index>(cols, 1) : row)};
    }
    return {Transpose::Yes, int(cols == 1 ? std::max<Index>(rows, 1) : col)};
}

// C is computed as the transpose of B.T A.T, in `turned`.
template <class T>
void multiply_turned(const Tile<T>& t, T* turned, void (*product)(const Tile<T>&),
                     void (*turn)(const TurnArgs<T>&)) {
    product({t.n, t.m, t.k, t.b, t.b_col, t.b_row, t.a, t.a_col, t.a_row, turned, t.m, t.alpha,
             nullptr, 0});
    turn({t.m, t.n, turned, t.c, t.c_row, t.from, t.from_row});
}

template <class T, class R>
void multiply(const Tile<T, R>& t, bool own, R* turned) {
    const GemmTable& loops = gemm_table();
    if constexpr (!std::is_same_v<T, R>) {
        loops.bf16(t);
    } else if constexpr (std::is_integral_v<T>) {
        if constexpr (sizeof(T) == 1) loops.u8(t);
        if constexpr (sizeof(T) == 2) loops.u16(t);
        if constexpr (sizeof(T) == 4) loops.u32(t);
        if constexpr (sizeof(T) == 8) loops.u64(t);
    } else {
        if constexpr (std::is_floating_point_v<T>) {
            if (own) {
                if constexpr (sizeof(T) == 4) {
                    if (turned) multiply_turned(t, turned, loops.f32, loops.turn_f32);
                    else loops.f32(t);
                } else {
                    if (turned) multiply_turned(t, turned, loops.f64, loops.turn_f64);
                    else loops.f64(t);
                }
                return;
            }
        }
        if (t.from && t.from != t.c) {
            for (Index i = 0; i < t.m; ++i) {
                std::copy_n(t.from + i * t.from_row, t.n, t.c + i * t.c_row);
            }
        }
        const BlasLayout a = blas_layout(t.m, t.k, t.a_row, t.a_col);
        const BlasLayout b = blas_layout(t.k, t.n, t.b_row, t.b_col);
        gemm(a.op, b.op, int(t.m), int(t.n), int(t.k), t.alpha, t.a, a.rows_apart, t.b,
             b.rows_apart, t.from ? T(1) : T(0), t.c, int(t.m == 1 ? t.n : t.c_row));
    }
}

// C = beta * start over a tile.
template <class T, class R>
void begin_tile(const R* start, Index row, Index col, R beta, const Tile<T, R>& t) {
    for (Index i = 0; i < t.m; ++i) {
        const R* from = start + i * row;
        R* to = t.c + i * t.c_row;
        for (Index j = 0; j < t.n; ++j) to[j] = beta * from[j * col];
    }
}

// The tile of C that a unit belongs to, all of k, and what is added to it in the first place.
template <class T, class R>
Tile<T, R> tile_of(const Product& product, const Plan& plan, Index unit) {
    const Index at = unit / plan.parts;
    const Index tile_j = at % plan.grid_n, rest = at / plan.grid_n;
    const Index tile_i = rest % plan.grid_m, matrix = rest / plan.grid_m;
    Index a_at = 0, b_at = 0, start_at = 0;
    Index left = matrix;
    for (int axis = product.batch.size() - 1; axis >= 0; --axis) {
        const Index at_axis = left % product.batch[axis];
        left /= product.batch[axis];
        a_at += at_axis * product.a_steps[axis];
        b_at += at_axis * product.b_steps[axis];
        if (product.start.data) start_at += at_axis * product.start_steps[axis];
    }
    const Index i = tile_i * plan.tile_m, j = tile_j * plan.tile_n;
    Tile<T, R> t;
    t.m = std::min(plan.tile_m, product.m - i);
    t.n = std::min(plan.tile_n, product.n - j);
    t.k = product.k;
    t.a_row = product.a.row, t.a_col = product.a.col;
    t.b_row = product.b.row, t.b_col = product.b.col;
    t.c_row = product.n;
    t.a = reinterpret_cast<const T*>(product.a.data) + a_at + i * t.a_row;
    t.b = reinterpret_cast<const T*>(product.b.data) + b_at + j * t.b_col;
    t.c = reinterpret_cast<R*>(product.c) + (matrix * product.m + i) * t.c_row + j;
    t.alpha = product.alpha.to<R>();
    t.from = nullptr;
    t.from_row = t.c_row;
    if (const MatrixView& s = product.start; s.data && product.beta.to<R>() != R(0)) {
        t.from = reinterpret_cast<const R*>(s.data) + start_at + i * s.row + j * s.col;
        t.from_row = s.row;
    }
    return t;
}

// `from` is such that it can be added as it stands: C itself if it had to be scaled or gathered.
template <class T, class R>
void begin(const Product& product, Tile<T, R>& t) {
    const R beta = product.beta.to<R>();
    if (!t.from || (beta == R(1) && product.start.col == 1)) return;
    begin_tile(t.from, product.start.row, product.start.col, beta, t);
    t.from = t.c;
    t.from_row = t.c_row;
}

template <class T, class R>
void copy_start(const Tile<T, R>& t) {
    for (Index r = 0; r < t.m; ++r) {
        R* row = t.c + r * t.c_row;
        if (!t.from) {
            std::fill_n(row, t.n, R(0));
        } else if (t.from != t.c) {
            std::copy_n(t.from + r * t.from_row, t.n, row);
        }
    }
}

template <class T, class R>
void run_unit(const Product& product, const Plan& plan, Index unit, Index round) {
    Tile<T, R> t = tile_of<T, R>(product, plan, unit);
    const Index tile = plan.tile_m * plan.tile_n;
    const Index p = (plan.parts > 1 ? unit % plan.parts : round) * plan.depth;
    if (plan.parts > 1) {
        t.c = reinterpret_cast<R*>(plan.partials.bytes()) + unit * tile;
        t.c_row = plan.tile_n;
        t.from = nullptr;
    } else if (round > 0) {
        t.from = t.c;
        t.from_row = t.c_row;
    } else {
        begin(product, t);
    }
    if (product.k == 0) return copy_start(t);
    t.k = std::min(plan.depth, product.k - p);
    t.a += p * t.a_col;
    t.b += p * t.b_row;
    multiply(t, plan.own,
             plan.room ? reinterpret_cast<R*>(plan.room.bytes()) + unit * tile : nullptr);
}

// What the parts of k gave is added, in their order.
template <class T>
void add_parts(const Product& product, const Plan& plan) {
    const Index tile = plan.tile_m * plan.tile_n;
    const T* part = reinterpret_cast<const T*>(plan.partials.bytes());
    for (Index unit = 0; unit < plan.units; unit += plan.parts) {
        Tile<T> t = tile_of<T, T>(product, plan, unit);
        begin(product, t);
        copy_start(t);
        for (Index p = 0; p < plan.parts; ++p, part += tile) {
            for (Index r = 0; r < t.m; ++r) {
                T* row = t.c + r * t.c_row;
                const T* added = part + r * plan.tile_n;
                for (Index j = 0; j < t.n; ++j) row[j] += added[j];
            }
        }
    }
}

void run_task(const Product& product, const Plan& plan, Index task, Index round) {
    const Index begin = task * plan.units_each;
    const Index end = std::min(begin + plan.units_each, plan.units);
    const auto run = [&]<class T, class R = T>() {
        for (Index unit = begin; unit < end; ++unit) run_unit<T, R>(product, plan, unit, round);
    };
    switch (product.dtype) {
        case DType::F32: return run.operator()<float>();
        case DType::F64: return run.operator()<double>();
        case DType::C64: return run.operator()<Complex64>();
        case DType::C128: return run.operator()<Complex128>();
        case DType::U8:
        case DType::I8: return run.operator()<std::uint8_t>();
        case DType::I16:
        case DType::U16: return run.operator()<std::uint16_t>();
        case DType::I32:
        case DType::U32: return run.operator()<std::uint32_t>();
        case DType::I64:
        case DType::U64: return run.operator()<std::uint64_t>();
        case DType::BF16: return run.operator()<std::uint16_t, float>();
        default: fail(ErrorKind::NotImplemented, "no products of ", name_of(product.dtype));
    }
}

void prepare(const Product& product, const Plan& plan) {
    if (!plan.own && plan.units > 0 && product.k > 0) load_blas();
}

// A single matrix: nothing to plan.
bool is_single_tiny(const Product& product) { return product.batch.empty() && is_tiny(product); }

Plan tiny_plan(const Product& product) {
    Plan plan;
    plan.own = true;
    plan.tile_m = product.m;
    plan.tile_n = product.n;
    plan.depth = product.k;
    plan.units = 1;
    make_room(product, plan);
    return plan;
}

void run_tiny(const Product& product) { run_task(product, tiny_plan(product), 0, 0); }

// A product that is launched; T is float or double.
template <class T>
struct TinyProduct {
    Tile<T> tile;
    T* turned;

    // `room` is where it is computed turned, if it is.
    TinyProduct(const Product& product, Array& room) : tile(), turned(nullptr) {
        const Plan plan = tiny_plan(product);
        tile = tile_of<T, T>(product, plan, 0);
        room = plan.room;
        if (room) turned = room.address_of<T>();
    }

    void operator()() const {
        if (tile.k == 0) copy_start(tile);
        else multiply(tile, true, turned);
    }
};

bool adds_plainly(const Product& product) {
    return !product.start.data ||
           (product.beta.to<double>() == 1.0 && product.start.col == 1);
}

double tiny_seconds(const Product& p) {
    return product_cost(p.dtype, double(p.m), double(p.n), double(p.k)) / kCostPerSecond;
}

void finish(const Product& product, const Plan& plan) {
    if (plan.parts == 1) return;
    product.dtype == DType::F32 ? add_parts<float>(product, plan)
                                : add_parts<double>(product, plan);
}

constexpr Index kColumnsEach = 256;
constexpr int kMostTogether = 2;

void run_column_sums(const ColumnSums& sums, Index task) {
    const Index begin = task * kColumnsEach;
    const Index cols = std::min(kColumnsEach, sums.cols - begin);
    const auto run = [&]<class T>(void (*add_up)(const ColumnSumArgs<T>&)) {
        add_up({sums.rows, cols, reinterpret_cast<const T*>(sums.x) + begin, sums.x_row,
                reinterpret_cast<T*>(sums.sums) + begin});
    };
    if (sums.dtype == DType::F32) {
        run(gemm_table().column_sums_f32);
    } else {
        run(gemm_table().column_sums_f64);
    }
}

}  // namespace

bool has_own_loops(DType dtype, Index m, Index n, Index k) noexcept {
    if (dtype != DType::F32 && dtype != DType::F64) return !has_blas(dtype);
    return double(m) * double(n) * double(k) <= gemm_table().most;
}

bool multiplies_bf16() noexcept { return gemm_table().bf16 != nullptr; }

bool strides_fit_blas(Index rows, Index cols, Index row, Index col) noexcept {
    if (rows <= 1 && cols <= 1) return true;
    const bool plain = (col == 1 || cols == 1) && (rows == 1 || (row >= cols && row <= INT_MAX));
    const bool turned = (row == 1 || rows == 1) && (cols == 1 || (col >= rows && col <= INT_MAX));
    return (plain && cols <= INT_MAX) || (turned && rows <= INT_MAX);
}

void run_product(const Product& product) {
    if (is_single_tiny(product)) return run_tiny(product);
    const Plan plan = make_plan(product);
    prepare(product, plan);
    for (Index round = 0; round < plan.rounds; ++round) {
        if (plan.tasks == 1 && plan.seconds_each < 1e-4) {
            run_task(product, plan, 0, round);
        } else {
            parallel_for(plan.tasks, plan.seconds_each,
                         [&](Index task) { run_task(product, plan, task, round); });
        }
    }
    finish(product, plan);
}

void launch_product(const Product& product, const Touches& touches) {
    launch_together(std::span(&product, 1), nullptr, touches);
}

void launch_together(std::span<const Product> products, const ColumnSums* sums,
                     Touches touches) {
    const bool tiny = std::ranges::all_of(products, [](const Product& p) {
        return is_single_tiny(p) && adds_plainly(p);
    });
    if (!tiny || (sums && double(sums->rows) * double(sums->cols) > kTiny)) {
        wait_for(touches);
        if (products.size() == 1 && !sums) return run_product(products[0]);
        return run_together(products, sums);
    }
    const auto run = [&]<class T>() {
        struct Together {
            std::size_t count = 0;
            std::array<std::optional<TinyProduct<T>>, kMostTogether> products;
            std::optional<ColumnSums> sums;

            void operator()() const {
                for (std::size_t i = 0; i < count; ++i) (*products[i])();
                if (!sums) return;
                for (Index task = 0; task * kColumnsEach < sums->cols; ++task)
                    run_column_sums(*sums, task);
            }
        } kernel;
        std::array<Array, kMostTogether> rooms;
        double seconds = 0;
        for (const Product& product : products) {
            Array& room = rooms[kernel.count];
            kernel.products[kernel.count++].emplace(product, room);
            touches.add(room);
            seconds += tiny_seconds(product);
        }
        if (sums) {
            kernel.sums = *sums;
            seconds += double(sums->rows) * double(sums->cols) * 0.1e-9;
        }
        launch(seconds, touches, kernel);
    };
    const DType dtype = products.empty() ? sums->dtype : products[0].dtype;
    if (dtype == DType::F32) run.template operator()<float>();
    else run.template operator()<double>();
}

void run_together(std::span<const Product> products, const ColumnSums* sums) {
    constexpr int kMost = kMostTogether;
    check(products.size() <= kMost, "run_together: at most two products");
    const Index sum_tasks = sums ? divide_up(sums->cols, kColumnsEach) : 0;
    if (std::all_of(products.begin(), products.end(), is_single_tiny) &&
        (!sums || double(sums->rows) * double(sums->cols) <= kTiny)) {
        for (const Product& product : products) run_tiny(product);
        for (Index task = 0; task < sum_tasks; ++task) run_column_sums(*sums, task);
        return;
    }
    std::array<Plan, kMost> plans;
    Index tasks = 0, rounds = 1;
    double seconds = 0;
    for (std::size_t i = 0; i < products.size(); ++i) {
        plans[i] = make_plan(products[i]);
        prepare(products[i], plans[i]);
        tasks += plans[i].tasks;
        rounds = std::max(rounds, plans[i].rounds);
        seconds += double(plans[i].tasks) * plans[i].seconds_each;
    }
    if (sums) {
        tasks += sum_tasks;
        const double bytes = double(size_of(sums->dtype)) * double(sums->rows) * double(sums->cols);
        seconds += kCostPerByte * bytes / kCostPerSecond;
    }
    if (tasks == 0) return;
    for (Index round = 0; round < rounds; ++round) {
        const auto run = [&](Index task) {
            for (std::size_t i = 0; i < products.size(); ++i) {
                if (task < plans[i].tasks) {
                    if (round < plans[i].rounds) run_task(products[i], plans[i], task, round);
                    return;
                }
                task -= plans[i].tasks;
            }
            if (round == 0) run_column_sums(*sums, task);
        };
        parallel_for(tasks, seconds / double(tasks), run);
    }
    for (std::size_t i = 0; i < products.size(); ++i) finish(products[i], plans[i]);
}

}  // namespace rushlight
