--- What every public function does first: say plainly which argument is not what it should be.
--
-- A message names the function, the argument, what was wanted and what was given, and points at
-- the caller of the public function.

local check = {}

local floor, huge = math.floor, math.huge

--- How deep below the script's line the public function calls the functions here.
local CALLER = 4

--- A value for a message, as short as need be: strings in quotes, numbers as they are, of others the type.
---@return string
function check.quote(value)
	if type(value) == "string" then
		return ("%q"):format(#value > 40 and value:sub(1, 37) .. "..." or value)
	elseif type(value) == "number" then
		return tostring(value)
	end
	return type(value)
end

--- The same with the type of those that are quoted.
---@return string
function check.describe(value)
	local kind, quoted = type(value), check.quote(value)
	return kind == quoted and kind or kind .. " " .. quoted
end

--- What is wrong with a value that is not what was wanted.
---@param what string the argument, as a reader would call it
---@param wanted string
---@return string
function check.mismatch(what, wanted, value)
	return ("%s must be %s, got %s"):format(what, wanted, check.describe(value))
end

local function refuse(name, what, wanted, value)
	error(("%s: %s"):format(name, check.mismatch(what, wanted, value)), CALLER)
end

--- Demands what no other function here does: whether it holds is for the caller to say.
---@param ok any whether it holds
---@param name string the public function
---@param what string the argument, as a reader would call it
---@param wanted string
function check.that(ok, name, what, wanted, value)
	if not ok then
		refuse(name, what, wanted, value)
	end
end

--- Demands a value of one type.
---@param name string the public function
---@param what string the argument, as a reader would call it
---@param wanted type
function check.type(name, what, value, wanted)
	if type(value) ~= wanted then
		local article = wanted:find("^[aeiou]") and "an " or "a "
		refuse(name, what, article .. wanted, value)
	end
end

--- Demands a whole number; numeric strings count, as they do for Lua's own functions.
---@return integer
function check.integer(name, what, value, least, most)
	local number = tonumber(value)
	if not number or number ~= floor(number) or number == huge or number == -huge then
		refuse(name, what, "a whole number", value)
	elseif number < least or number > most then
		refuse(name, what, ("between %d and %d"):format(least, most), value)
	end
	return floor(number)
end

--- Demands the rights of a file as octal digits, as chmod takes them. A number would be ambiguous, as Lua
--- has no octal ones.
---@return integer
function check.mode(name, what, value)
	if type(value) ~= "string" or not value:find("^0?[0-7][0-7][0-7]$") then
		refuse(name, what, 'a string of octal digits like "660"', value)
	end
	return tonumber(value, 8)
end

--- Demands a value that is a key of a table.
---@param known table
---@param wanted string the keys, as a reader would call them
function check.one_of(name, what, value, known, wanted)
	if known[value] == nil then
		refuse(name, what, wanted, value)
	end
end

--- How many letters have to be changed, added or left out to turn one word into the other.
local function distance(one, other)
	local row = {}
	for column = 0, #other do
		row[column] = column
	end
	for line = 1, #one do
		local diagonal = row[0]
		row[0] = line
		for column = 1, #other do
			local cost = one:byte(line) == other:byte(column) and 0 or 1
			local best = math.min(diagonal + cost, row[column] + 1, row[column - 1] + 1)
			diagonal = row[column]
			row[column] = best
		end
	end
	return row[#other]
end

--- The word of a list that another one is most likely meant to be; nil when it resembles none, which is
--- when more than half of the letters would have to be changed.
---@param word string
---@param known string[]
---@return string?
local function nearest(word, known)
	local best, least
	for _, candidate in ipairs(known) do
		local far = distance(word, candidate)
		if far <= math.max(#word, #candidate) / 2 and not (least and least <= far) then
			best, least = candidate, far
		end
	end
	return best
end

--- What is wrong with a table that has an option which is not known: the nearest one that is, or all of them.
---@param value table
---@param known string[]
---@return string?
function check.stranger(value, known)
	local set = {}
	for _, option in ipairs(known) do
		set[option] = true
	end
	for option in pairs(value) do
		if not set[option] then
			local meant = nearest(tostring(option), known)
			return ("unknown option '%s' (%s)"):format(tostring(option),
				meant and ("did you mean '%s'?"):format(meant) or "it takes " .. table.concat(known, ", "))
		end
	end
end

--- Demands a table that has no options but the known ones.
---@param known string[]
function check.options(name, what, value, known)
	if type(value) ~= "table" then
		refuse(name, what, "a table", value)
	end
	local stranger = check.stranger(value, known)
	if stranger then
		error(name .. ": " .. stranger, CALLER - 1)
	end
end

return check
