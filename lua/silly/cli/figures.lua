--- Numbers as people read them.

local figures = {}

--- A whole number with a comma between thousands.
---@param number number
---@return string
function figures.count(number)
	local digits = ("%.0f"):format(number)
	local grouped = digits:reverse():gsub("(%d%d%d)", "%1,"):reverse()
	return (grouped:gsub("^,", ""))
end

--- An amount of bytes.
---@param bytes number
---@return string
function figures.bytes(bytes)
	for _, unit in ipairs { "B", "KiB", "MiB", "GiB" } do
		if bytes < 1024 then
			return (unit == "B" and "%.0f %s" or "%.1f %s"):format(bytes, unit)
		end
		bytes = bytes / 1024
	end
	return ("%.1f TiB"):format(bytes)
end

--- A duration in milliseconds; from 10 s on in seconds.
---@param microseconds number
---@return string
function figures.duration(microseconds)
	if microseconds >= 1e7 then
		return ("%.1f s"):format(microseconds / 1e6)
	end
	return (microseconds >= 1e5 and "%.0f ms" or "%.2f ms"):format(microseconds / 1000)
end

--- How long a process has been there.
---@param microseconds number
---@return string
function figures.age(microseconds)
	local seconds = math.floor(microseconds / 1e6)
	local minutes, hours = math.floor(seconds / 60), math.floor(seconds / 3600)
	if hours >= 24 then
		return ("%d d %d h"):format(math.floor(hours / 24), hours % 24)
	elseif hours > 0 then
		return ("%d h %d min"):format(hours, minutes % 60)
	elseif minutes > 0 then
		return ("%d min %d s"):format(minutes, seconds % 60)
	end
	return ("%d s"):format(seconds)
end

return figures
