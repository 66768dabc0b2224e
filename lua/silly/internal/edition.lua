--- Which edition of silly scripts are written to. The documented one is the default; what the newest one
--- has different is little: when a handle connects, what callbacks are given, and the words for errors.

local core = require "silly.internal.core"
local errno = require "silly.errno"

if core.loaded.edition then
	return core.loaded.edition --[[@as silly.edition]]
end

---@class silly.edition
local edition = {
	--- The known ones, and the generation of the wire that their nodes speak.
	WIRES = { ["0.6"] = 1, ["0.7"] = 2 },
	DOCUMENTED = "0.6",
	--- whether the newest one was asked for
	newest = false,
}
core.loaded.edition = edition

--- What this library says itself, and what of errno the newest edition has for it.
local WORDS = {
	timeout = "TIMEDOUT",
	["read timeout"] = "TIMEDOUT",
	["end of file"] = "EOF",
	closed = "CLOSED",
	["socket closed"] = "CLOSED",
	["socket is closed"] = "CLOSED",
	["active closed"] = "CLOSED",
	["getaddrinfo failed"] = "RESOLVE",
}

--- The system's words with their number, by the words alone; made when the first of them are wanted.
---@type table<string, string>
local system

local function with_number(words)
	if not system then
		system = {}
		for _, number in pairs(core.errno_numbers) do
			system[core.errno_text(number)] = errno[number]
		end
	end
	return system[words]
end

--- Why something failed, in the words of the edition that was asked for. The newest one has the system's
--- with their number and without the address.
---@param why string?
---@return string?
function edition.reason(why)
	if not why or not edition.newest then
		return why
	elseif why == "peer closed" then
		return "Peer closed"
	end
	local name = WORDS[why] or why:find("^lookup ") and "RESOLVE"
	return name and errno[name] or with_number(why:match("^connect .-: (%u.*)$") or why) or why
end

return edition
