// The loops of recurrent_gates.h.
#include "kernels/recurrent_gates.h"

#include "elementwise/math.h"

namespace rushlight::RUSHLIGHT_ISA {
namespace {

using Index = std::int64_t;

template <class T>
void tanh_rows(const GateRows<T>& in) {
    T* __restrict__ gates = in.gates;
    T* __restrict__ state = in.state;
    for (Index i = 0; i < in.rows * in.hidden; ++i) {
        const T h = math::tanh(gates[i]);
        gates[i] = h;
        state[i] = h;
    }
}

template <class T>
void relu_rows(const GateRows<T>& in) {
    T* __restrict__ gates = in.gates;
    T* __restrict__ state = in.state;
    for (Index i = 0; i < in.rows * in.hidden; ++i) {
        const T h = gates[i] < 0 ? T(0) : gates[i];  // NaN stays
        gates[i] = h;
        state[i] = h;
    }
}

template <class T>
void lstm_row(Index n, T* __restrict__ input, T* __restrict__ forget, T* __restrict__ update,
              T* __restrict__ output, T* __restrict__ cell, T* __restrict__ state) {
    for (Index j = 0; j < n; ++j) {
        const T i = math::sigmoid(input[j]), f = math::sigmoid(forget[j]);
        const T g = math::tanh(update[j]), o = math::sigmoid(output[j]);
        const T c = f * cell[j] + i * g;
        input[j] = i;
        forget[j] = f;
        update[j] = g;
        output[j] = o;
        cell[j] = c;
        state[j] = o * math::tanh(c);
    }
}

template <class T>
void lstm_rows(const GateRows<T>& in) {
    const Index n = in.hidden;
    for (Index r = 0; r < in.rows; ++r) {
        T* gates = in.gates + r * 4 * n;
        lstm_row(n, gates, gates + n, gates + 2 * n, gates + 3 * n, in.cell + r * n,
                 in.state + r * n);
    }
}

template <class T>
void gru_row(Index n, T* __restrict__ reset, T* __restrict__ update, T* __restrict__ fresh,
             const T* __restrict__ candidate, T* __restrict__ state) {
    for (Index j = 0; j < n; ++j) {
        const T r = math::sigmoid(reset[j]), z = math::sigmoid(update[j]);
        const T value = math::tanh(fresh[j] + r * candidate[j]);
        reset[j] = r;
        update[j] = z;
        fresh[j] = value;
        state[j] = value + z * (state[j] - value);
    }
}

template <class T>
void gru_rows(const GateRows<T>& in) {
    const Index n = in.hidden;
    for (Index r = 0; r < in.rows; ++r) {
        T* gates = in.gates + r * 3 * n;
        gru_row(n, gates, gates + n, gates + 2 * n, in.candidate + r * n, in.state + r * n);
    }
}

template <class T>
void tanh_gradient(const GateGradients<T>& in) {
    const T* __restrict__ h = in.gates;
    const T* __restrict__ dstate = in.dstate;
    T* __restrict__ dgates = in.dgates;
    for (Index i = 0; i < in.rows * in.hidden; ++i) dgates[i] = dstate[i] * (T(1) - h[i] * h[i]);
}

template <class T>
void relu_gradient(const GateGradients<T>& in) {
    const T* __restrict__ h = in.gates;
    const T* __restrict__ dstate = in.dstate;
    T* __restrict__ dgates = in.dgates;
    for (Index i = 0; i < in.rows * in.hidden; ++i) dgates[i] = h[i] <= 0 ? T(0) : dstate[i];
}

template <bool unproject, class T>
void lstm_row_gradient(Index n, const T* __restrict__ input, const T* __restrict__ forget,
                       const T* __restrict__ update, const T* __restrict__ output,
                       const T* __restrict__ cell, const T* __restrict__ dstate,
                       T* __restrict__ dcell, T* __restrict__ dinput, T* __restrict__ dforget,
                       T* __restrict__ dupdate, T* __restrict__ doutput,
                       T* __restrict__ unprojected) {
    for (Index j = 0; j < n; ++j) {
        const T i = input[j], f = forget[j], g = update[j], o = output[j];
        const T c = math::tanh(f * cell[j] + i * g);
        const T dh = dstate[j];
        const T dc = dcell[j] + dh * o * (T(1) - c * c);
        dinput[j] = dc * g * i * (T(1) - i);
        dforget[j] = dc * cell[j] * f * (T(1) - f);
        dupdate[j] = dc * i * (T(1) - g * g);
        doutput[j] = dh * c * o * (T(1) - o);
        dcell[j] = dc * f;
        if constexpr (unproject) unprojected[j] = o * c;
    }
}

template <class T>
void lstm_gradient(const GateGradients<T>& in) {
    const Index n = in.hidden;
    const auto run = [&]<bool unproject>() {
        for (Index r = 0; r < in.rows; ++r) {
            const T* gates = in.gates + r * 4 * n;
            T* dgates = in.dgates + r * 4 * n;
            lstm_row_gradient<unproject>(n, gates, gates + n, gates + 2 * n, gates + 3 * n,
                                         in.cell + r * n, in.dstate + r * n, in.dcell + r * n,
                                         dgates, dgates + n, dgates + 2 * n, dgates + 3 * n,
                                         unproject ? in.unprojected + r * n : nullptr);
        }
    };
    if (in.unprojected) {
        run.template operator()<true>();
    } else {
        run.template operator()<false>();
    }
}

template <class T>
void gru_row_gradient(Index n, const T* __restrict__ reset, const T* __restrict__ update,
                      const T* __restrict__ fresh, const T* __restrict__ candidate,
                      const T* __restrict__ state, T* __restrict__ dstate, T* __restrict__ dreset,
                      T* __restrict__ dupdate, T* __restrict__ dfresh, T* __restrict__ hreset,
                      T* __restrict__ hupdate, T* __restrict__ hfresh) {
    for (Index j = 0; j < n; ++j) {
        const T r = reset[j], z = update[j], value = fresh[j], dh = dstate[j];
        const T dn = dh * (T(1) - z) * (T(1) - value * value);
        const T dz = dh * (state[j] - value) * z * (T(1) - z);
        const T dr = dn * candidate[j] * r * (T(1) - r);
        dreset[j] = dr;
        hreset[j] = dr;
        dupdate[j] = dz;
        hupdate[j] = dz;
        dfresh[j] = dn;
        hfresh[j] = dn * r;
        dstate[j] = dh * z;
    }
}

template <class T>
void gru_gradient(const GateGradients<T>& in) {
    const Index n = in.hidden;
    for (Index r = 0; r < in.rows; ++r) {
        const T* gates = in.gates + r * 3 * n;
        T *d = in.dgates + r * 3 * n, *h = in.dgates_state + r * 3 * n;
        gru_row_gradient(n, gates, gates + n, gates + 2 * n, in.candidate + r * n,
                         in.state + r * n, in.dstate + r * n, d, d + n, d + 2 * n, h, h + n,
                         h + 2 * n);
    }
}

template <class T>
void add(Index rows, Index cols, const T* x, Index x_row, T* y) {
    for (Index r = 0; r < rows; ++r) {
        const T* __restrict__ from = x + r * x_row;
        T* __restrict__ to = y + r * cols;
        for (Index j = 0; j < cols; ++j) to[j] += from[j];
    }
}

template <class T>
constexpr GateLoops<T> loops_of() {
    return {tanh_rows<T>,     relu_rows<T>,     lstm_rows<T>,     gru_rows<T>,
            tanh_gradient<T>, relu_gradient<T>, lstm_gradient<T>, gru_gradient<T>,
            add<T>};
}

constexpr GateTable kTable{loops_of<float>(), loops_of<double>()};

}  // namespace

const GateTable& gate_table() { return kTable; }

}  // namespace rushlight::RUSHLIGHT_ISA
