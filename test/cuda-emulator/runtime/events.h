// Events, as far as others have to know of them.
#pragma once
namespace cuemu {

struct Device;
void drop_events(Device& device);  // all of them; needs the runtime's mutex

}  // namespace cuemu
