// Numbered SQL files, applied once, in order, under an advisory lock, remembered with a checksum.
#pragma once

#include "pg/pool.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace batchbridge::pg {

// A file that was applied has changed, or a file does not fit the naming: a person must look. Kind rejected.
class migration_error : public error {
    using error::error;
};

struct migration_result {
    std::vector<std::string> applied;      // file names, this time
    int database_version = 0, known_version = 0;
    bool newer_schema = false;             // the database knows migrations that we do not: nothing was done
};

// `directory` holds NNNN_name.sql files. Throws pg::error, migration_error.
boost::asio::awaitable<migration_result> migrate(pool& p, std::filesystem::path directory);

}  // namespace batchbridge::pg
