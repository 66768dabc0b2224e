--- A small name server for the specs, in a process of its own: UDP and TCP on one port, and a third
--- socket that is asked how often a name was.
--
-- A zone is a table of entries by lower-case name. An entry has lists by type (A, AAAA, SRV), or
-- functions that are given the number of the query and return one; CNAME, a name; ttl, in seconds;
-- and mode, how it misbehaves, by type or for all. The entry "*" stands for every other name.

local socket = require "socket"

local server = {}

local TYPES = { [1] = "A", [5] = "CNAME", [28] = "AAAA", [33] = "SRV" }
local NUMBERS = { A = 1, CNAME = 5, AAAA = 28, SRV = 33, SOA = 6 }

--- Longer answers are cut off over UDP, as before EDNS.
local UDP_LIMIT = 512

--- A process that was forgotten is not to outlive the suite.
local LIFETIME = 120

local function u16(number)
	return string.char(math.floor(number / 256) % 256, number % 256)
end

local function u32(number)
	return u16(math.floor(number / 65536)) .. u16(number % 65536)
end

local function encode_name(name)
	local parts = {}
	for label in name:gmatch("[^.]+") do
		parts[#parts + 1] = string.char(#label) .. label
	end
	return table.concat(parts) .. "\0"
end

local ENCODERS = {
	A = function(ip)
		return (ip:gsub("(%d+)%.?", function(byte)
			return string.char(tonumber(byte))
		end))
	end,
	--- Eight groups in full.
	AAAA = function(ip)
		return (ip:gsub("(%x+):?", function(group)
			return u16(tonumber(group, 16))
		end))
	end,
	CNAME = encode_name,
	SRV = function(service)
		return u16(service[1]) .. u16(service[2]) .. u16(service[3]) .. encode_name(service[4])
	end,
	--- Negative answers may be kept for so many seconds.
	SOA = function(seconds)
		return encode_name("ns.test") .. encode_name("hostmaster.test") .. u32(1) .. u32(3600) .. u32(600)
			.. u32(86400) .. u32(seconds)
	end,
}

local function record(name, kind, ttl, value)
	local data = ENCODERS[kind](value)
	return encode_name(name) .. u16(NUMBERS[kind]) .. u16(1) .. u32(ttl) .. u16(#data) .. data
end

--- The name, the type, and the question as it came, whose case the answer has to keep.
local function decode(query)
	local labels, at = {}, 13
	while true do
		local length = query:byte(at)
		if length == 0 then
			break
		end
		labels[#labels + 1] = query:sub(at + 1, at + length)
		at = at + 1 + length
	end
	local high, low = query:byte(at + 1, at + 2)
	return table.concat(labels, "."):lower(), TYPES[high * 256 + low] or "?", query:sub(13, at + 4)
end

--- What a misbehaving server sends.
local MODES = {
	silent = function() end,
	garbage = function(query)
		return query:sub(1, 2) .. "\255\254 this is no answer at all \192"
	end,
	short = function(query)
		return query:sub(1, 1)
	end,
	wrong_id = function(query, answer)
		local high, low = query:byte(1, 2)
		return string.char((high + 1) % 256, low) .. answer:sub(3)
	end,
	wrong_question = function(query)
		return query:sub(1, 2) .. "\129\128\0\1\0\0\0\0\0\0" .. encode_name("other.test") .. u16(1) .. u16(1)
	end,
	-- The answer's name points at itself.
	loop = function(query, _, question)
		local place = 12 + #question
		return query:sub(1, 2) .. "\129\128\0\1\0\1\0\0\0\0" .. question
			.. string.char(192 + math.floor(place / 256), place % 256)
			.. u16(1) .. u16(1) .. u32(60) .. u16(4) .. "\1\2\3\4"
	end,
	-- Says that there is more than there is.
	cut = function(_, answer)
		return answer:sub(1, -3)
	end,
}

local CODES = { servfail = 2, refused = 5 }

local function pick(value, kind)
	if type(value) == "table" then
		return value[kind]
	end
	return value
end

--- The answer to one query, or nil.
local function answer(zone, counts, query, over_udp)
	local name, kind, question = decode(query)
	local key = name .. "/" .. kind
	counts[key] = (counts[key] or 0) + 1
	local entry = zone[name] or zone["*"]
	local mode = entry and pick(entry.mode, kind)
	local records, code, authority = {}, CODES[mode] or 0, ""
	local here, at = entry, name
	while here and here.CNAME do
		records[#records + 1] = record(at, "CNAME", here.ttl or 60, here.CNAME)
		at = here.CNAME
		here = not entry.partial and #records < 20 and zone[at] or nil
	end
	if not entry then
		code = 3
	elseif here and code == 0 then
		local values = here[kind]
		if type(values) == "function" then
			values = values(counts[key])
		end
		for _, value in ipairs(values or {}) do
			records[#records + 1] = record(at, kind, here.ttl or 60, value)
		end
	end
	if #records == 0 and code ~= 2 and code ~= 5 then
		authority = record("test", "SOA", 60, entry and entry.ttl or 0)
	end
	local function message(flags, count, body)
		return query:sub(1, 2) .. u16(flags + code) .. u16(1) .. u16(count) .. u16(authority == "" and 0 or 1)
			.. u16(0) .. question .. body .. authority
	end
	local whole = message(0x8180, #records, table.concat(records))
	if over_udp and #whole > UDP_LIMIT then
		whole = message(0x8380, 0, "")
	end
	if MODES[mode] then
		return MODES[mode](query, whole, question)
	end
	return whole
end

--- Both sockets on one port that the system chooses.
local function bind()
	while true do
		local tcp = assert(socket.tcp4())
		assert(tcp:bind("127.0.0.1", 0))
		assert(tcp:listen(32))
		local _, port = tcp:getsockname()
		local udp = assert(socket.udp4())
		if udp:setsockname("127.0.0.1", tonumber(port)) then
			tcp:settimeout(0)
			udp:settimeout(0)
			return udp, tcp, port
		end
		udp:close() -- somebody else has that one
		tcp:close()
	end
end

--- Serves until the process is killed. Prints its port and that of the socket that counts.
function server.run(zone)
	local udp, tcp, port = bind()
	local control = assert(socket.udp4())
	assert(control:setsockname("127.0.0.1", 0))
	control:settimeout(0)
	local _, asks = control:getsockname()
	io.stdout:write(("ports %d %d\n"):format(port, asks))
	io.stdout:flush()
	local counts, clients = {}, {}
	local deadline = os.time() + LIFETIME
	while os.time() < deadline do
		local watched = { udp, tcp, control }
		for client in pairs(clients) do
			watched[#watched + 1] = client
		end
		local ready = socket.select(watched, nil, 1)
		-- All of what has come by UDP, before anybody is told how much that was.
		local query, ip, from = udp:receivefrom()
		while query do
			local reply = answer(zone, counts, query, true)
			if reply then
				udp:sendto(reply, ip, from)
			end
			query, ip, from = udp:receivefrom()
		end
		for client in pairs(clients) do
			if ready[client] then
				local size = client:receive(2)
				query = size and client:receive(size:byte(1) * 256 + size:byte(2))
				local reply = query and answer(zone, counts, query, false)
				if reply then
					client:send(u16(#reply) .. reply)
				elseif not query then
					client:close()
					clients[client] = nil
				end
			end
		end
		local client = tcp:accept()
		if client then
			client:settimeout(2)
			clients[client] = true
		end
		local key
		key, ip, from = control:receivefrom()
		if key then
			control:sendto(tostring(counts[key] or 0), ip, from)
		end
	end
end

return server
