#include "tasks/slot_picture.hpp"

namespace batchbridge::tasks {

namespace json = boost::json;

json::value picture_json(const domain::plant_map& map, const domain::words& picture)
{
    const auto r = domain::decode_slot(map, picture);
    json::array raw;
    for (const auto w : picture) raw.push_back(w);
    json::object actual;
    for (const auto& [silo, kg] : r.quantities)
        if (!kg.is_zero()) actual[std::to_string(silo)] = kg.to_string();
    json::object shows;
    shows["batch_no"] = r.batch_no;
    shows["order"] = r.mo_id;
    shows["actual"] = std::move(actual);
    shows["weight"] = r.weight.to_string();
    shows["status_manufacturing"] = r.status_manufacturing;
    shows["status_operation"] = r.status_operation;
    shows["status_read_data"] = r.status_read_data;
    json::object out;
    out["raw"] = std::move(raw);
    out["shows"] = std::move(shows);
    return out;
}

bool is_stale(const domain::plant_map& map, const domain::load* l, int slot, const domain::words& picture)
{
    if (l == nullptr) return false;
    const auto image = l->images.find(slot);
    return image != l->images.end() && domain::same_content(map, picture, image->second);
}

}  // namespace batchbridge::tasks
