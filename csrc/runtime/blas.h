// OpenBLAS, from the scipy-openblas32 wheel. It is loaded when a product first needs it (it takes
// memory as soon as it is loaded) and held to one thread: our own pool cuts products into tiles.
#pragma once

#include <complex>
#include <cstdint>
#include <string>

namespace rushlight {

enum class Transpose : std::uint8_t { No, Yes };

// C (m, n) = alpha * op(A) (m, k) * op(B) (k, n) + beta * C on the calling thread, row-major;
// `lda` and the like are the distances of rows as stored, before op(). With beta == 0 the old
// values of C are not read. Call load_blas() before, with the GIL held.
void gemm(Transpose op_a, Transpose op_b, int m, int n, int k, float alpha, const float* a, int lda,
          const float* b, int ldb, float beta, float* c, int ldc);
void gemm(Transpose op_a, Transpose op_b, int m, int n, int k, double alpha, const double* a,
          int lda, const double* b, int ldb, double beta, double* c, int ldc);
void gemm(Transpose op_a, Transpose op_b, int m, int n, int k, std::complex<float> alpha,
          const std::complex<float>* a, int lda, const std::complex<float>* b, int ldb,
          std::complex<float> beta, std::complex<float>* c, int ldc);
void gemm(Transpose op_a, Transpose op_b, int m, int n, int k, std::complex<double> alpha,
          const std::complex<double>* a, int lda, const std::complex<double>* b, int ldb,
          std::complex<double> beta, std::complex<double>* c, int ldc);

// Finds and opens the library, once. Looked for at the path given to set_blas_path(), then beside
// our own package, then along sys.path.
void load_blas();
// Another function of the loaded library by its full name: LAPACK's, say.
void* blas_function(const char* name);
// The library's file. Only before it is loaded.
void set_blas_path(const std::string& path);

struct BlasInfo {
    std::string path;    // empty: not loaded
    std::string config;  // as OpenBLAS describes its build
    std::string core;    // the kernels it has chosen for this CPU
};
BlasInfo blas_info();

}  // namespace rushlight
