// Comma-separated values as RFC 4180 has them, strict: for files that people hand over. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace batchbridge::core {

struct csv_record {
    int line = 0;                      // of the file, 1 for the first; where the record begins
    std::vector<std::string> fields;   // unquoted
};

struct csv_fault {
    int line = 0;
    std::string what;                  // a sentence
};

struct csv_reading {
    std::vector<csv_record> records;   // what could be read; a record with a fault is left out
    std::vector<csv_fault> faults;
};

// A byte order mark at the start, LF and CRLF, quoted fields with doubled quotes and line ends in them. Empty lines and
// lines that begin with '#' are skipped. Fields are kept as they are, blanks too. Never throws.
csv_reading parse_csv(std::string_view text, char separator = ',');

// One record with CRLF; a field is quoted only when it must be.
std::string csv_line(const std::vector<std::string>& fields);

}  // namespace batchbridge::core
