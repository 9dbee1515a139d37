// Whether a connection URI can be used at all, said at start instead of as a database that is down for ever.
#pragma once

#include <optional>
#include <string>

namespace batchbridge::pg {

// Why libpq would refuse `uri` without asking any server: its form, a parameter libpq does not know, a port or a mode that
// does not exist. Nothing of the URI is quoted, since a password that was not percent-encoded can be taken for any part of
// it. nullopt: nothing against it.
std::optional<std::string> uri_fault(const std::string& uri);

}  // namespace batchbridge::pg
