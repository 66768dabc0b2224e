--- What the option `tls` becomes: credentials that the native library makes of the files it names.

local core = require "silly.internal.core"
local check = require "silly.internal.check"

if core.loaded.credentials then
	return core.loaded.credentials --[[@as silly.credentials]]
end

---@class silly.credentials
local credentials = {
	--- whether there have ever been any
	used = false,
}
core.loaded.credentials = credentials

local OPTIONS = { "cert", "key", "ca", "verify", "server_name" }

--- By what they were made of. Those that no listener and no handle uses may be out of date.
---@type table<string, silly.credentials.held>
local known = setmetatable({}, { __mode = "v" })

--- What is wrong with an option, but for the files.
---@return string?
local function problem_with(given)
	if type(given) ~= "table" then
		return check.mismatch("option 'tls'", "a table or false", given)
	end
	local stranger = check.stranger(given, OPTIONS)
	if stranger then
		return "option 'tls': " .. stranger
	end
	for _, option in ipairs(OPTIONS) do
		local wanted = option == "verify" and "boolean" or "string"
		if given[option] ~= nil and type(given[option]) ~= wanted then
			return check.mismatch(("option 'tls.%s'"):format(option), "a " .. wanted, given[option])
		end
	end
	if (given.cert == nil) ~= (given.key == nil) then
		return ("option 'tls': cert and key belong together, and there is no %s"):format(given.cert and "key" or "cert")
	elseif given.verify ~= false and given.ca == nil then
		return "option 'tls': ca is needed to verify the other end"
	end
end

--- Credentials for an option. What a listener or a handle uses is not read again.
---@param given any
---@return silly.credentials.held?
---@return string? problem
function credentials.of(given)
	local problem = problem_with(given)
	if problem then
		return nil, problem
	end
	local parts = {}
	for place, option in ipairs(OPTIONS) do
		parts[place] = given[option] == nil and "" or "=" .. tostring(given[option])
	end
	parts[4] = tostring(given.verify ~= false)
	local key = table.concat(parts, "\0")
	local held = known[key]
	if not (held and core.credentials_used(held.native)) then
		local native, why = core.credentials {
			cert = given.cert,
			key = given.key,
			ca = given.ca,
			verify = given.verify ~= false,
			server_name = given.server_name,
		}
		if not native then
			return nil, "option 'tls': " .. why
		end
		---@class silly.credentials.held
		held = {
			native = native,
			--- what tells them from others
			key = key,
			--- whether there is a certificate to show
			shows = given.cert ~= nil,
		}
		known[key], credentials.used = held, true
	end
	return held
end

return credentials
