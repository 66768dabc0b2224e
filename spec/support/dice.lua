--- Chance that is the same in every run.

local dice = {}

--- A function that gives a number from 1 to `most`, as its seed has it.
---@param seed integer
---@return fun(most: integer): integer
function dice.new(seed)
	return function(most)
		seed = (seed * 1103515245 + 12345) % 2 ^ 31
		return math.floor(seed / 65536) % most + 1
	end
end

return dice
