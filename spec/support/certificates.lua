--- Certificates of spec/support/certificates.rs, in a directory of this run.

local shell = require "spec.support.shell"
local rust = require "spec.support.rust"

local certificates = {}

local directory

--- The path of one of its files, which are made at the first call.
function certificates.path(file)
	if not directory then
		directory = shell.dir .. "/certificates"
		local made = os.execute(("mkdir -p '%s' && '%s' '%s'"):format(
			directory, rust.tool("certificates"), directory))
		assert(made == true or made == 0, "no certificates")
	end
	return directory .. "/" .. file
end

--- The option tls of a node that has a certificate of a name, and trusts the CA, but for what a test wants
--- otherwise.
---@param name string? none without a certificate
---@param changes table?
function certificates.option(name, changes)
	local option = { ca = certificates.path("ca.pem") }
	if name then
		option.cert, option.key = certificates.path(name .. ".pem"), certificates.path(name .. ".key")
	end
	for key, value in pairs(changes or {}) do
		option[key] = value
	end
	return option
end

--- Writes a file of it anew: what others hold, one behind the other.
function certificates.join(to, ...)
	local parts = {}
	for place, from in ipairs({ ... }) do
		local source = assert(io.open(certificates.path(from), "rb"))
		parts[place] = source:read("*a")
		source:close()
	end
	certificates.write(to, table.concat(parts))
end

--- Writes one file of it over another.
function certificates.copy(from, to)
	certificates.join(to, from)
end

--- Writes any text to a file of it.
function certificates.write(to, text)
	local target = assert(io.open(certificates.path(to), "wb"))
	target:write(text)
	target:close()
end

return certificates
