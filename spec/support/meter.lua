--- What processes cost, as Linux tells it.

local meter = {}

local function contents(pid, name)
	local file = assert(io.open(("/proc/%d/%s"):format(pid, name)))
	local text = file:read("*a")
	file:close()
	return text
end

--- The processor time of a process of one thread, user's and system's, in microseconds.
function meter.busy(pid)
	return tonumber(contents(pid, "schedstat"):match("^%d+")) / 1000
end

--- How much of its memory is resident, in bytes.
function meter.resident(pid)
	return tonumber(contents(pid, "status"):match("VmRSS:%s*(%d+) kB")) * 1024
end

local function number_of(command)
	local pipe = assert(io.popen(command))
	local number = pipe:read("*n")
	pipe:close()
	return number
end

--- How many descriptors it has open.
function meter.descriptors(pid)
	return number_of(("ls /proc/%d/fd | wc -l"):format(pid))
end

--- How many descriptors a process may have.
function meter.limit()
	return number_of("ulimit -n")
end

--- The median of some numbers.
function meter.median(numbers)
	local sorted = { (table.unpack or unpack)(numbers) }
	table.sort(sorted)
	return sorted[math.ceil(#sorted / 2)]
end

return meter
