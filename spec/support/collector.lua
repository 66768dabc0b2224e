--- How eagerly garbage is collected, by the names that each Lua has for it.

local collector = {}

--- Sets one of the collector's numbers: what it was before.
---@param name string "pause" or "stepmul"
---@return integer
function collector.set(name, value)
	if _VERSION < "Lua 5.5" then
		return collectgarbage("set" .. name, value)
	end
	return collectgarbage("param", name, value)
end

return collector
