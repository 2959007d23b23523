// CPU affinity, SMT siblings and control-group quotas.
#include "runtime/cpus.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <set>
#include <string>
#include <string_view>
#include <thread>

#ifdef __linux__
#include <sched.h>
#endif

namespace rushlight {
namespace {

constexpr int kMost = 1024;

// The leading number of a variable such as OMP_NUM_THREADS=4,2; 0 where there is none.
int threads_from_environment(const char* name) {
    const char* text = std::getenv(name);
    if (!text) return 0;
    const int value = std::atoi(text);
    return value > 0 ? std::min(value, kMost) : 0;
}

#ifdef __linux__

std::string first_line(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

// Siblings of one core share a name; a machine that does not tell has one thread per core.
int physical_cores_in_affinity() {
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 0;
    std::set<std::string> cores;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (!CPU_ISSET(cpu, &allowed)) continue;
        const std::string number = std::to_string(cpu);
        const std::string core = first_line("/sys/devices/system/cpu/cpu" + number +
                                            "/topology/thread_siblings_list");
        cores.insert(core.empty() ? "cpu" + number : core);
    }
    return int(cores.size());
}

double quota_of_v2(const std::string& folder) {
    const std::string line = first_line(folder + "/cpu.max");  // "200000 100000" or "max 100000"
    double quota = 0, period = 0;
    const char* end = line.data() + line.size();
    const auto first = std::from_chars(line.data(), end, quota);
    if (first.ec != std::errc() || first.ptr == end) return HUGE_VAL;
    if (std::from_chars(first.ptr + 1, end, period).ec != std::errc()) return HUGE_VAL;
    return quota > 0 && period > 0 ? quota / period : HUGE_VAL;
}

double quota_of_v1(const std::string& folder) {
    const double quota = std::atof(first_line(folder + "/cpu.cfs_quota_us").c_str());
    const double period = std::atof(first_line(folder + "/cpu.cfs_period_us").c_str());
    return quota > 0 && period > 0 ? quota / period : HUGE_VAL;
}

// The tightest limit between our group and the root (a container may mount its own group as root).
template <class Quota>
double tightest(const std::string& root, std::string group, Quota&& quota_of) {
    double limit = quota_of(root);
    while (group.size() > 1) {
        limit = std::min(limit, quota_of(root + group));
        group.resize(group.rfind('/'));
    }
    return limit;
}

double cpu_quota() {
    double limit = HUGE_VAL;
    std::ifstream groups("/proc/self/cgroup");  // lines "id:controllers:/path"
    for (std::string line; std::getline(groups, line);) {
        const auto first = line.find(':');
        const auto second = first == std::string::npos ? first : line.find(':', first + 1);
        if (second == std::string::npos || second + 1 >= line.size() || line[second + 1] != '/') {
            continue;
        }
        const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
        const std::string group = line.substr(second + 1);
        if (controllers == ",,") {
            limit = std::min(limit, tightest("/sys/fs/cgroup", group, quota_of_v2));
        } else if (controllers.find(",cpu,") != std::string::npos) {
            for (const char* root : {"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"}) {
                limit = std::min(limit, tightest(root, group, quota_of_v1));
            }
        }
    }
    return limit;
}

#else

int physical_cores_in_affinity() { return 0; }
double cpu_quota() { return HUGE_VAL; }

#endif

}  // namespace

int default_threads() {
    for (const char* name : {"RUSHLIGHT_NUM_THREADS", "OMP_NUM_THREADS"}) {
        if (const int threads = threads_from_environment(name)) return threads;
    }
    int cpus = physical_cores_in_affinity();
    if (cpus == 0) cpus = int(std::thread::hardware_concurrency());
    const double quota = cpu_quota();
    if (quota < cpus) cpus = int(std::ceil(quota));
    return std::clamp(cpus, 1, kMost);
}

}  // namespace rushlight
