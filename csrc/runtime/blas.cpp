// Finding OpenBLAS, opening it, and calling it.
#include <Python.h>

#include "runtime/blas.h"

#include <cstdlib>
#include <optional>
#include <vector>

#include <dlfcn.h>
#include <sys/stat.h>

#include "array/error.h"

namespace rushlight {
namespace {

#ifdef __APPLE__
constexpr const char* kInWheel = "/scipy_openblas32/lib/libscipy_openblas.dylib";
#else
constexpr const char* kInWheel = "/scipy_openblas32/lib/libscipy_openblas.so";
#endif

// The enumerators of cblas.h.
constexpr int kRowMajor = 101, kNoTrans = 111, kTrans = 112;

template <class T>
using RealGemm = void (*)(int, int, int, int, int, int, T, const T*, int, const T*, int, T, T*,
                          int);
using ComplexGemm = void (*)(int, int, int, int, int, int, const void*, const void*, int,
                             const void*, int, const void*, void*, int);

struct Library {
    void* handle = nullptr;
    std::string path;
    RealGemm<float> sgemm = nullptr;
    RealGemm<double> dgemm = nullptr;
    ComplexGemm cgemm = nullptr, zgemm = nullptr;
    const char* (*config)() = nullptr;
    const char* (*core)() = nullptr;
};

Library library;
std::string chosen_path;

bool is_file(const std::string& path) {
    struct stat info;
    return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

// The folder that holds our package, if the core lies in an installed package.
std::string own_site_packages() {
    Dl_info info;
    if (!dladdr(reinterpret_cast<void*>(&load_blas), &info) || !info.dli_fname) return "";
    std::string path = info.dli_fname;
    for (int up = 0; up < 2; ++up) {
        const auto slash = path.rfind('/');
        if (slash == std::string::npos) return "";
        path.resize(slash);
    }
    return path;
}

std::vector<std::string> folders_of_sys_path() {
    std::vector<std::string> folders;
    if (!Py_IsInitialized() || !PyGILState_Check()) return folders;
    PyObject* path = PySys_GetObject("path");  // borrowed
    if (!path || !PyList_Check(path)) return folders;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(path); ++i) {
        PyObject* entry = PyList_GET_ITEM(path, i);
        const char* text = PyUnicode_Check(entry) ? PyUnicode_AsUTF8(entry) : nullptr;
        if (text) {
            folders.emplace_back(*text ? text : ".");
        } else {
            PyErr_Clear();
        }
    }
    return folders;
}

std::string find_library() {
    if (!chosen_path.empty()) {
        check(is_file(chosen_path), "OpenBLAS: no file ", chosen_path,
              ", the path that was set for it");
        return chosen_path;
    }
    if (std::string beside = own_site_packages() + kInWheel; is_file(beside)) return beside;
    for (const std::string& folder : folders_of_sys_path()) {
        if (std::string candidate = folder + kInWheel; is_file(candidate)) return candidate;
    }
    fail(ErrorKind::Runtime, "OpenBLAS was not found: matrix products need the package ",
         "scipy-openblas32 in this environment. Install it with: pip install scipy-openblas32");
}

// OpenBLAS reads its number of threads from the environment when it is loaded.
class OneThreadInEnvironment {
public:
    OneThreadInEnvironment() {
        if (const char* before = std::getenv(kName)) before_ = before;
        setenv(kName, "1", 1);
    }
    ~OneThreadInEnvironment() {
        if (before_) {
            setenv(kName, before_->c_str(), 1);
        } else {
            unsetenv(kName);
        }
    }
    OneThreadInEnvironment(const OneThreadInEnvironment&) = delete;
    OneThreadInEnvironment& operator=(const OneThreadInEnvironment&) = delete;

private:
    static constexpr const char* kName = "OPENBLAS_NUM_THREADS";
    std::optional<std::string> before_;
};

template <class F>
F symbol(void* handle, const std::string& path, const char* name) {
    void* address = dlsym(handle, name);
    check(address != nullptr, "OpenBLAS: ", path, " has no function ", name,
          "; is it the library of scipy-openblas32?");
    return reinterpret_cast<F>(address);
}

Library open_library(const std::string& path) {
    const OneThreadInEnvironment environment;
    Library opened;
    opened.path = path;
    opened.handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!opened.handle) {
        const char* reason = dlerror();
        fail(ErrorKind::Runtime, "OpenBLAS: cannot load ", path, ": ", reason ? reason : "unknown",
             ". Reinstall it with: pip install --force-reinstall scipy-openblas32");
    }
    const auto find = [&]<class F>(F& function, const char* name) {
        function = symbol<F>(opened.handle, path, name);
    };
    find(opened.sgemm, "scipy_cblas_sgemm");
    find(opened.dgemm, "scipy_cblas_dgemm");
    find(opened.cgemm, "scipy_cblas_cgemm");
    find(opened.zgemm, "scipy_cblas_zgemm");
    find(opened.config, "scipy_openblas_get_config");
    find(opened.core, "scipy_openblas_get_corename");
    void (*set_threads)(int) = nullptr;
    find(set_threads, "scipy_openblas_set_num_threads");
    set_threads(1);
    return opened;
}

int cblas(Transpose op) { return op == Transpose::Yes ? kTrans : kNoTrans; }

}  // namespace

void load_blas() {
    if (!library.handle) [[unlikely]] library = open_library(find_library());
}

void* blas_function(const char* name) { return symbol<void*>(library.handle, library.path, name); }

void set_blas_path(const std::string& path) {
    check(!library.handle, "set_blas_path: OpenBLAS is already loaded from ", library.path);
    chosen_path = path;
}

BlasInfo blas_info() {
    if (!library.handle) return {};
    return {library.path, library.config(), library.core()};
}

void gemm(Transpose op_a, Transpose op_b, int m, int n, int k, float alpha, const float* a, int lda,
          const float* b, int ldb, float beta, float* c, int ldc) {
    library.sgemm(kRowMajor, cblas(op_a), cblas(op_b), m, n, k, alpha, a, lda, b, ldb, beta, c,
                  ldc);
}

void gemm(Transpose op_a, Transpose op_b, int m, int n, int k, double alpha, const double* a,
          int lda, const double* b, int ldb, double beta, double* c, int ldc) {
    library.dgemm(kRowMajor, cblas(op_a), cblas(op_b), m, n, k, alpha, a, lda, b, ldb, beta, c,
                  ldc);
}

void gemm(Transpose op_a, Transpose op_b, int m, int n, int k, std::complex<float> alpha,
          const std::complex<float>* a, int lda, const std::complex<float>* b, int ldb,
          std::complex<float> beta, std::complex<float>* c, int ldc) {
    library.cgemm(kRowMajor, cblas(op_a), cblas(op_b), m, n, k, &alpha, a, lda, b, ldb, &beta, c,
                  ldc);
}

void gemm(Transpose op_a, Transpose op_b, int m, int n, int k, std::complex<double> alpha,
          const std::complex<double>* a, int lda, const std::complex<double>* b, int ldb,
          std::complex<double> beta, std::complex<double>* c, int ldc) {
    library.zgemm(kRowMajor, cblas(op_a), cblas(op_b), m, n, k, &alpha, a, lda, b, ldb, &beta, c,
                  ldc);
}

}  // namespace rushlight
