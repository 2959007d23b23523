// Storage: where its bytes come from and go to.
#include "array/storage.h"

#include "array/error.h"
#include "runtime/allocator.h"

namespace rushlight {
namespace {

// Constant-initialised and never destroyed, as storages of static lifetime need it.
constinit FreeList<sizeof(Storage)> storage_list;

}  // namespace

Storage::Storage(std::size_t bytes) : bytes_(bytes) {
    const Block block = allocate(bytes);
    data_ = block.memory;
    ticket_ = block.ticket;
}

Storage::Storage(std::byte* data, std::size_t bytes, std::function<void()> release)
    : data_(data), bytes_(bytes), foreign_(true), release_(std::move(release)) {}

constinit thread_local bool on_meta = false;

Ref<Storage> Storage::meta(std::size_t bytes) {
    Ref<Storage> storage(new Storage());
    storage->bytes_ = bytes;
    storage->foreign_ = storage->meta_ = true;
    any_special = true;
    return storage;
}

void Storage::check_memory() const {
    if (meta_)
        fail(ErrorKind::NotImplemented, "Cannot copy out of meta tensor; no data! It has a shape "
             "and a dtype alone. Make it on the CPU: module.to_empty(device=\"cpu\") and "
             "load_state_dict, or torch.empty_like(tensor, device=\"cpu\")");
}

void Storage::make_ready() const {
    check_memory();
    stream::wait(ticket_);
}

Storage::~Storage() {
    if (!foreign_) {
        deallocate({data_, ticket_}, bytes_);
    } else if (release_) {
        stream::wait(ticket_);
        release_();
    }
}

void* Storage::operator new(std::size_t) { return storage_list.take(); }
void Storage::operator delete(void* memory) noexcept { storage_list.give(memory); }

}  // namespace rushlight
