#include "core/blocking_thread.hpp"

namespace batchbridge::core {

blocking_thread::blocking_thread() : pool_(1) {}

blocking_thread::~blocking_thread()
{
    pool_.join();
}

}  // namespace batchbridge::core
